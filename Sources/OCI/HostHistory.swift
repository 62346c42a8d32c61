internal import Core
internal import Synchronization

/// What is known of hosts from earlier requests.
final class HostHistory: Sendable {
    private struct State {
        var answered = Set<String>()
        var published = Set<String>()
        var rests: [String: ContinuousClock.Instant] = [:]
    }

    private static let maximumEntries = 256
    private static let rest = Duration.seconds(60)

    private let state = Mutex(State())

    func hasAnswered(_ authority: String) -> Bool { state.withLock { $0.answered.contains(authority) } }

    func noteAnswer(_ authority: String) {
        state.withLock { state in
            if state.answered.count >= Self.maximumEntries { state.answered.removeAll() }
            state.answered.insert(authority)
        }
    }

    /// Whether a host had a public address before.
    func isPublic(_ host: String) -> Bool { state.withLock { $0.published.contains(host) } }

    func notePublic(_ host: String) {
        state.withLock { state in
            if state.published.count >= Self.maximumEntries { state.published.removeAll() }
            state.published.insert(host)
        }
    }

    /// Whether a mirror could not be reached a moment ago, so that it is not tried just now.
    func rests(_ authority: String, now: ContinuousClock.Instant = .now) -> Bool {
        state.withLock { $0.rests[authority].map { now < $0 } ?? false }
    }

    func letRest(_ authority: String, now: ContinuousClock.Instant = .now) {
        state.withLock { state in
            if state.rests.count >= Self.maximumEntries { state.rests.removeAll() }
            state.rests[authority] = now + Self.rest
        }
    }
}
