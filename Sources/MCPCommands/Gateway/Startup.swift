internal import Core
internal import Synchronization

/// Which of the chosen servers have not been heard of yet, so that the end of the start is told once, for all of them.
final class Startup: Sendable {
    private struct State {
        var waiting: Set<String>
        var isAnyReady = false
    }

    private let state: Mutex<State>

    init(_ servers: [String]) { state = Mutex(State(waiting: Set(servers))) }

    /// Notes that a server is ready or has failed, for the first time or once more.
    ///
    /// - Returns: whether it was the last one that was waited for; false where not one is ready.
    func settles(_ server: String, isReady: Bool) -> Bool {
        state.withLock { state in
            guard state.waiting.remove(server) != nil else { return false }
            state.isAnyReady = state.isAnyReady || isReady
            return state.waiting.isEmpty && state.isAnyReady
        }
    }

    static func text(_ took: Duration) -> String {
        "> Initialized in \((Double(took.milliseconds) / 1000).fixed(2)) seconds"
    }
}
