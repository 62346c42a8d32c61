internal import NIOCore
internal import SystemPackage

#if canImport(Darwin)
    internal import Darwin
#endif

/// A process that can be told from a later one with the same number, also from another boot or another container.
package struct ProcessIdentity: Sendable, Hashable, CustomStringConvertible {
    /// Where the number means something: this boot of this machine, and this container.
    package let place: String
    package let number: Int32
    /// When the process began, in the kernel's own unit.
    package let start: String

    /// Of the running process; nil where the kernel does not tell.
    package static var current: ProcessIdentity? {
        guard let place = currentPlace, let start = startTime(of: POSIX.processID) else { return nil }
        return ProcessIdentity(place: place, number: POSIX.processID, start: start)
    }

    private init(place: String, number: Int32, start: String) {
        self.place = place
        self.number = number
        self.start = start
    }

    /// `place/number/start`
    package var description: String { "\(place)/\(number)/\(start)" }

    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, let number = Int32(parts[1]), number > 0 else { return nil }
        self.init(place: String(parts[0]), number: number, start: String(parts[2]))
    }

    /// Whether the process has ended for certain. One of another place cannot be judged from here.
    package var hasEnded: Bool {
        guard place == Self.currentPlace else { return false }
        return Self.startTime(of: number) != start
    }

    /// Whether it is a process of this place that lives.
    package var isRunning: Bool { place == Self.currentPlace && Self.startTime(of: number) == start }

    #if canImport(Darwin)
        private static var currentPlace: String? {
            var boot = timeval()
            var size = MemoryLayout<timeval>.size
            return sysctlbyname("kern.boottime", &boot, &size, nil, 0) == 0 ? "boot-\(boot.tv_sec)" : nil
        }

        private static func startTime(of process: Int32) -> String? {
            var info = proc_bsdinfo()
            let size = Int32(MemoryLayout<proc_bsdinfo>.size)
            guard proc_pidinfo(process, PROC_PIDTBSDINFO, 0, &info, size) == size else { return nil }
            return "\(info.pbi_start_tvsec).\(info.pbi_start_tvusec)"
        }
    #else
        private static var currentPlace: String? {
            guard let boot = read("/proc/sys/kernel/random/boot_id"),
                let space = try? POSIX.readLink("/proc/self/ns/pid").string
            else { return nil }
            return boot.filter { $0.isHexDigit } + "-" + space.filter { $0.isNumber }
        }

        /// The 22nd field; the second one, the program's name, may hold spaces and parentheses of its own.
        private static func startTime(of process: Int32) -> String? {
            guard let line = read(FilePath("/proc/\(process)/stat")), let end = line.lastIndex(of: ")") else {
                return nil
            }
            let fields = line[line.index(after: end)...].split(separator: " ")
            // A process that has ended but was not waited for counts as ended.
            guard fields.count > 19, fields[0] != "Z", fields[0] != "X" else { return nil }
            return String(fields[19])
        }

        private static func read(_ path: FilePath) -> String? {
            (try? Files.read(path, limit: 64 << 10)).map { String(buffer: $0) }
        }
    #endif
}
