internal import ArgumentParser

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

/// Whole seconds on a command line: `90`, `30s`, `5m`.
struct Seconds: ExpressibleByArgument {
    let count: Int64

    init(_ count: Int64) { self.count = count }

    init?(argument: String) {
        guard !argument.isEmpty, let count = Int64(argument) ?? GoDuration.seconds(argument),
            (0...1_000_000_000).contains(count)
        else {
            return nil
        }
        self.count = count
    }

    var defaultValueDescription: String { "\(count)s" }
}
