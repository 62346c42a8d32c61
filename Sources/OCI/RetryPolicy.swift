internal import Core

/// When a read that failed is tried again, and after which time. A value; who waits is somebody else.
struct RetryPolicy: Sendable {
    /// Between one attempt and the next, so four more at the most.
    var delays: [Duration] = [.seconds(1), .seconds(2), .seconds(4), .seconds(8)]
    /// How often a server that names the time to wait is asked again.
    var maximumWaits = 4
    /// A server that asks for a longer pause is not waited for; its answer is passed on.
    var maximumPause = Duration.seconds(60)

    /// After an answer; nil takes it as final.
    ///
    /// - Parameter attempt: how many attempts there were before this one.
    func delay(after attempt: Int, status: Int, retryAfter: String?, now: Timestamp) -> Duration? {
        guard [429, 502, 503, 504].contains(status), attempt < maximumWaits else { return nil }
        if status == 429 || status == 503, let pause = retryAfter.flatMap({ Self.pause($0, now: now) }) {
            return pause <= maximumPause ? max(pause, .zero) : nil
        }
        // Limits of a registry last for hours where it does not say so.
        return status == 429 || attempt >= delays.count ? nil : delays[attempt]
    }

    /// After a connection that failed; nil gives up.
    func delay(after attempt: Int, isTransient: Bool, isLate: Bool) -> Duration? {
        // Waiting for the same silence again and again would take minutes.
        guard isTransient, attempt < (isLate ? 1 : delays.count) else { return nil }
        return delays[attempt]
    }

    /// Seconds or an HTTP date.
    static func pause(_ header: String, now: Timestamp) -> Duration? {
        if let seconds = Int64(header), seconds >= 0 { return .seconds(min(seconds, 1 << 40)) }
        return date(header).map { .seconds(max(0, $0.seconds - now.seconds)) }
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`
    private static func date(_ text: String) -> Timestamp? {
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT", parts[1].count == 2, parts[3].count == 4,
            let month = months.firstIndex(of: String(parts[2]))
        else { return nil }
        let number = month < 9 ? "0\(month + 1)" : "\(month + 1)"
        return Timestamp(rfc3339: "\(parts[3])-\(number)-\(parts[1])T\(parts[4])Z")
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
}
