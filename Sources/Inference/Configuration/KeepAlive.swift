package import Core

/// How long a runner stays loaded after its last use.
package enum KeepAlive: Sendable, Hashable {
    /// Until it is unloaded; it is not evicted for others' memory either.
    case forever
    /// So long; zero unloads it when its last request has been answered.
    case after(Duration)

    package static let standard = KeepAlive.after(.seconds(300))
    static let maximum: Int64 = 10 * 365 * 86400

    /// Go's way to write a duration (`1h30m`, `90s`), or a plain number of seconds. Negative means forever.
    package init?(parsing text: String) {
        var rest = text[...]
        let isNegative = rest.first == "-"
        if isNegative || rest.first == "+" { rest = rest.dropFirst() }
        guard
            let seconds = Double(rest).map({ rest.allSatisfy { $0.isNumber || $0 == "." } ? $0 : nil })
                ?? GoDuration.seconds(rest), seconds.isFinite
        else { return nil }
        self = isNegative && seconds > 0 ? .forever : Self.after(seconds)
    }

    /// A duration's text, or a number of seconds, as Ollama's clients send either.
    package init?(_ json: JSON) {
        if let text = json.string {
            self.init(parsing: text)
        } else if let seconds = json.double, seconds.isFinite {
            self = seconds < 0 ? .forever : Self.after(seconds)
        } else {
            return nil
        }
    }

    private static func after(_ seconds: Double) -> KeepAlive {
        .after(.milliseconds(Int64(min(seconds, Double(maximum)) * 1000)))
    }

    /// As Go writes it: `5m0s`; `-1` for forever.
    package var text: String {
        guard case .after(let duration) = self else { return "-1" }
        let milliseconds = duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000
        if milliseconds > 0, milliseconds < 1000 { return "\(milliseconds)ms" }
        let seconds = milliseconds / 1000
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60)
        if hours > 0 { return "\(hours)h\(minutes)m\(seconds % 60)s" }
        return minutes > 0 ? "\(minutes)m\(seconds % 60)s" : "\(seconds)s"
    }
}
