internal import Core

/// Tells a transfer that is slow from one that is stuck: a peer that sends a byte now and then is never silent for long
/// enough to be given up, and never done. Only the time spent waiting for it counts.
package struct Pace: Sendable {
    private let window: Duration
    private let minimum: Int
    private var waited = Duration.zero
    private var bytes = 0

    /// - Parameters:
    ///   - window: how long is waited before it is judged.
    ///   - minimum: bytes that must have come in that time.
    package init(window: Duration = .seconds(60), minimum: Int = 64 << 10) {
        self.window = window
        self.minimum = minimum
    }

    /// - Throws: `.timedOut` when too little has come since the last time it was judged.
    package mutating func note(_ count: Int, after wait: Duration, from host: String) throws {
        waited += wait
        bytes += count
        guard waited >= window else { return }
        defer { (waited, bytes) = (.zero, 0) }
        guard bytes < minimum else { return }
        throw Failure(
            .timedOut,
            "\(host) has sent only \(ByteCount(bytes)) in \(waited.components.seconds) s, and was given up",
            advice: "Try again later; what has come is kept")
    }
}
