internal import ArgumentParser
internal import Commands
internal import Core
internal import ModelStore
internal import NIOHTTP1
internal import OCI
internal import Terminal

struct Processes: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ps", abstract: "List the models that are running", usage: "docker model ps")

    func run() async throws {
        let runners = try await RunnerClient.ifRunning { try await $0.json(.GET, "/engines/ps").array } ?? []
        CommandContext.current.console.out.print(Self.table(runners ?? [], now: .now).text)
    }

    static func table(_ runners: [JSON], now: Timestamp) -> Table {
        var table = Table(["MODEL NAME", "BACKEND", "MODE", "UNTIL"])
        for runner in runners {
            table.append([
                name(runner["model_name"]?.string ?? ""), runner["backend_name"]?.string ?? "",
                runner["mode"]?.string ?? "", until(runner, now: now),
            ])
        }
        return table
    }

    /// Without what goes without saying; of an ID its first digits.
    private static func name(_ text: String) -> String {
        if let id = try? Digest(parsing: text) { return id.short }
        return ModelReference.display(text.lowercased())
    }

    /// When a runner is unloaded, if nobody asks it anything more.
    private static func until(_ runner: JSON, now: Timestamp) -> String {
        if runner["loading"]?.bool == true { return "Loading..." }
        // A runner of an unknown kind says neither; then it is not going to end by itself.
        guard let keepAlive = (runner["keep_alive"]?.string).flatMap(GoDuration.seconds), keepAlive >= 0 else {
            return "Forever"
        }
        // While it answers its time has not begun to run.
        let lastUsed = (runner["last_used"]?.string).flatMap { Timestamp(rfc3339: $0) }?.seconds ?? now.seconds
        let begin = runner["in_use"]?.bool == true ? now.seconds : min(lastUsed, now.seconds)
        let left = begin + keepAlive - now.seconds
        return left > 0 ? "\(GoDuration.text(left)) from now" : "Expiring"
    }
}

/// Lengths of time as Go programs write and show them.
enum GoDuration {
    /// Whole seconds of `1h2m3.5s`; nil for what is none; -1 for `-1`.
    static func seconds(_ text: String) -> Int64? {
        if let plain = Int64(text) { return plain < 0 ? -1 : plain == 0 ? 0 : nil }
        var total = 0.0
        var rest = text[...]
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isNumber || $0 == "." }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(unit.count)
            guard let value = Double(digits), let factor = units[unit] else { return nil }
            total += value * factor
        }
        return total < 1e15 ? Int64(total) : nil
    }

    private static let units: [Substring: Double] = [
        "h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9,
    ]

    /// `4 minutes`, as docker shows how long.
    static func text(_ seconds: Int64) -> String {
        switch seconds {
        case ..<1: "Less than a second"
        case 1: "1 second"
        case ..<60: "\(seconds) seconds"
        case ..<120: "About a minute"
        case ..<3600: "\(seconds / 60) minutes"
        case ..<7200: "About an hour"
        case ..<(48 * 3600): "\(seconds / 3600) hours"
        default: "\(seconds / 86400) days"
        }
    }
}
