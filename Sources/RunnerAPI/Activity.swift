internal import Synchronization

/// Whether the API is being used, for a daemon that stops when it is not.
final class Activity: Sendable {
    private struct State {
        var ongoing = 0
        var lastUsed = ContinuousClock.now
    }

    private let state = Mutex(State())

    /// Ends with the object, so that an answer nobody collects ends it too.
    final class Use: Sendable {
        private let activity: Activity

        fileprivate init(_ activity: Activity) {
            self.activity = activity
            activity.state.withLock { $0.ongoing += 1 }
        }

        deinit {
            activity.state.withLock { state in
                state.ongoing -= 1
                state.lastUsed = .now
            }
        }
    }

    func begin() -> Use { Use(self) }

    /// How many uses go on now.
    var ongoing: Int { state.withLock { $0.ongoing } }

    /// Since when nothing has been asked; nil while something is going on.
    var idleSince: ContinuousClock.Instant? { state.withLock { $0.ongoing == 0 ? $0.lastUsed : nil } }
}
