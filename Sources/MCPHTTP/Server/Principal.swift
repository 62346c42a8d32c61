internal import Core
internal import Synchronization

/// Somebody who may use the gateway, and what of it.
package struct Principal: Sendable, Hashable {
    /// For people: who a token is for.
    package let name: String
    /// The servers it may use; nil for all.
    package let servers: Set<String>?
    /// How many messages it may send; nil for any number.
    package let rate: Rate?

    package init(name: String, servers: Set<String>? = nil, rate: Rate? = nil) {
        self.name = name
        self.servers = servers
        self.rate = rate
    }

    /// Whoever reaches a gateway that asks nobody for a token.
    package static let anybody = Principal(name: "anybody")

    package func may(use server: String) -> Bool { servers?.contains(server) ?? true }
}

/// So many in so long, and as many at once.
package struct Rate: Sendable, Hashable {
    package let count: Int
    package let interval: Duration

    /// - Parameter text: `10/s`, `600/m` or `1000/h`.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let units: [Substring: Int] = ["s": 1, "m": 60, "h": 3600]
        guard parts.count == 2, let count = Int(parts[0]), (1...1_000_000).contains(count),
            let seconds = units[parts[1]]
        else { return nil }
        self.count = count
        interval = .seconds(seconds)
    }

    /// How long it takes until there is room for one more.
    var pause: Duration { interval / count }
}

/// What is left of a rate: it fills up steadily, to the rate's count at the most.
struct TokenBucket: Sendable {
    typealias Instant = ContinuousClock.Instant

    private let rate: Rate
    /// When it will be, or was, full.
    private var full: Instant

    init(_ rate: Rate, now: Instant) {
        self.rate = rate
        full = now
    }

    /// Takes some out.
    ///
    /// - Returns: nil where they were there; else how long to wait for them, and nothing is taken.
    mutating func take(_ count: Int = 1, now: Instant) -> Duration? {
        let after = max(full, now) + rate.pause * count
        let excess = after - now - rate.interval
        guard excess <= .zero else { return excess }
        full = after
        return nil
    }
}

/// The buckets of everybody, by name.
final class RateLimiter: Sendable {
    private let buckets = Mutex<[String: TokenBucket]>([:])

    /// - Returns: nil for somebody who may go on; else how long to wait.
    func take(_ count: Int = 1, for principal: Principal) -> Duration? {
        guard let rate = principal.rate else { return nil }
        return buckets.withLock { $0[principal.name, default: TokenBucket(rate, now: .now)].take(count, now: .now) }
    }
}
