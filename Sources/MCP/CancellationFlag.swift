internal import Synchronization

/// Lets one task of a group be cancelled from outside: by the id of the request it answers.
package final class CancellationFlag: Sendable {
    private enum State: Sendable {
        case idle
        case running(@Sendable () -> Void)
        case cancelled
    }

    private let state = Mutex(State.idle)

    package init() {}

    package func set() {
        let cancel = state.withLock { state -> (@Sendable () -> Void)? in
            defer { state = .cancelled }
            if case .running(let cancel) = state { return cancel }
            return nil
        }
        cancel?()
    }

    /// Runs `body` in a child task; returns nil when it was cancelled by `set`.
    package func run<R: Sendable>(_ body: @escaping @Sendable () async -> R) async -> R? {
        let task = Task { await body() }
        let early = state.withLock { state -> Bool in
            if case .cancelled = state { return true }
            state = .running { task.cancel() }
            return false
        }
        if early { task.cancel() }
        let result = await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        let wasSet = state.withLock { state -> Bool in
            if case .cancelled = state { return true }
            return false
        }
        return wasSet ? nil : result
    }
}
