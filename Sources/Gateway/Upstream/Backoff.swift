/// How long to wait before a server that died is started again: longer each time, from the start after a good while.
struct Backoff: Sendable {
    private static let first = Duration.milliseconds(250)
    private static let longest = Duration.seconds(30)
    /// A server that has lived so long has not died of its start.
    private static let goodLife = Duration.seconds(60)

    private var next = first

    mutating func pause(afterLiving life: Duration) -> Duration {
        if life >= Self.goodLife { next = Self.first }
        defer { next = min(next * 2, Self.longest) }
        return next
    }
}
