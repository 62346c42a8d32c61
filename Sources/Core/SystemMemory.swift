internal import NIOCore
internal import SystemPackage

/// What the kernel says about memory, also where a container or a cgroup has less of it than the machine.
package struct SystemMemory: Sendable, Hashable {
    /// Bytes that this process and its children may use.
    package var total: Int64
    /// Bytes of them that nobody needs now.
    package var available: Int64

    /// nil where the system does not tell.
    package static var current: SystemMemory? {
        #if canImport(Darwin)
            POSIX.memory.map { SystemMemory(total: $0.total, available: $0.available) }
        #else
            guard let machine = text("/proc/meminfo").flatMap(meminfo) else { return nil }
            return groups.reduce(machine) { $0.limited(to: $1) }
        #endif
    }

    /// The most memory that a process has taken so far, in bytes; nil where the system does not tell.
    package static func peak(of process: Int32) -> Int64? {
        #if canImport(Darwin)
            POSIX.peakMemory(of: process)
        #else
            text(FilePath("/proc/\(process)/status")).flatMap { number("VmHWM:", in: $0) }
        #endif
    }

    /// What a process and all others of its session take now, in bytes; pages that several of them share count once.
    /// nil where the system does not tell.
    package static func taken(bySessionOf process: Int32) -> Int64? {
        #if canImport(Darwin)
            POSIX.peakMemory(of: process)
        #else
            let processes = ((try? POSIX.list("/proc")) ?? []).filter { name in
                guard Int32(name) != nil, let text = text(FilePath("/proc/\(name)/stat")) else { return false }
                return session(stat: text) == process
            }
            let shares = processes.compactMap { name in
                text(FilePath("/proc/\(name)/smaps_rollup")).flatMap { number("Pss:", in: $0) }
                    ?? text(FilePath("/proc/\(name)/status")).flatMap { number("VmRSS:", in: $0) }
            }
            return shares.isEmpty ? nil : shares.reduce(0, +)
        #endif
    }

    /// The session in `/proc/N/stat`, where the program's name stands in brackets and may hold anything.
    static func session(stat: String) -> Int32? {
        guard let end = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        return fields.count > 3 ? Int32(fields[3]) : nil
    }

    /// `/proc/meminfo`
    static func meminfo(_ text: String) -> SystemMemory? {
        guard let total = number("MemTotal:", in: text), let available = number("MemAvailable:", in: text) else {
            return nil
        }
        return SystemMemory(total: total, available: available)
    }

    /// The bytes that a line such as `VmHWM:   1234 kB` tells.
    static func number(_ name: String, in text: String) -> Int64? {
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else { return nil }
        let words = line.split(whereSeparator: \.isWhitespace)
        guard words.count >= 2, let value = Int64(words[1]), value >= 0, value < 1 << 50 else { return nil }
        return words.count > 2 ? value << 10 : value
    }

    /// What one control group says.
    struct Group: Sendable, Hashable {
        var limit: Int64
        var used: Int64
    }

    /// - Parameters:
    ///   - statistics: `memory.stat`, by which pages of files are known that go when they must.
    static func group(limit: String, used: String, statistics: String) -> Group? {
        // `max`, or a number that no machine has, is no limit.
        guard let limit = Int64(limit.filter(\.isNumber)), limit > 0, limit < 1 << 50 else { return nil }
        let pages = statistics.split(separator: "\n").first { $0.hasPrefix("inactive_file ") }
        let reclaimable = pages.flatMap { Int64($0.dropFirst("inactive_file ".count)) } ?? 0
        return Group(limit: limit, used: max(0, (Int64(used.filter(\.isNumber)) ?? 0) - reclaimable))
    }

    func limited(to group: Group) -> SystemMemory {
        SystemMemory(total: min(total, group.limit), available: min(available, max(0, group.limit - group.used)))
    }

    #if !canImport(Darwin)
        /// This process's group and those above it, which all limit it.
        private static var groups: [Group] {
            guard let own = text("/proc/self/cgroup") else { return [] }
            for line in own.split(separator: "\n") {
                let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
                guard parts.count == 3 else { continue }
                if parts[1].isEmpty {
                    return chain("/sys/fs/cgroup", parts[2], "memory.max", "memory.current")
                }
                if parts[1].split(separator: ",").contains("memory") {
                    return chain(
                        "/sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes", "memory.usage_in_bytes")
                }
            }
            return []
        }

        private static func chain(
            _ root: FilePath, _ path: Substring, _ limit: FilePath.Component, _ used: FilePath.Component
        ) -> [Group] {
            var folders = [root]
            for part in path.split(separator: "/").prefix(32) where part != ".." {
                folders.append((folders.last ?? root).appending(String(part)))
            }
            return folders.compactMap { folder in
                guard let most = text(folder.appending(limit)) else { return nil }
                return group(
                    limit: most, used: text(folder.appending(used)) ?? "",
                    statistics: text(folder.appending("memory.stat")) ?? "")
            }
        }

        private static func text(_ path: FilePath) -> String? {
            (try? Files.read(path, limit: 256 << 10)).map { String(buffer: $0) }
        }
    #endif
}
