internal import ArgumentParser
internal import Core

extension GoDuration {
    /// Whole seconds of `1h2m3.5s`; nil for what is none; -1 for `-1`.
    static func wholeSeconds(_ text: String) -> Int64? {
        if let plain = Int64(text) { return plain < 0 ? -1 : plain == 0 ? 0 : nil }
        return seconds(text[...]).flatMap { $0 < 1e15 ? Int64($0) : nil }
    }

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
        guard !argument.isEmpty, let count = Int64(argument) ?? GoDuration.wholeSeconds(argument),
            (0...1_000_000_000).contains(count)
        else {
            return nil
        }
        self.count = count
    }

    var defaultValueDescription: String { "\(count)s" }
}
