internal import Synchronization

/// A value that one task sets once and any number of tasks wait for.
package final class Promise<Value: Sendable>: Sendable {
    private struct State {
        var outcome: Result<Value, any Error>?
        var waiters: [Int: CheckedContinuation<Value, any Error>] = [:]
        var next = 0
    }

    private let state = Mutex(State())

    package init() {}

    /// Sets the value; a second time changes nothing.
    package func fulfil(_ outcome: Result<Value, any Error>) {
        let waiters = state.withLock { state -> [CheckedContinuation<Value, any Error>] in
            guard state.outcome == nil else { return [] }
            state.outcome = outcome
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume(with: outcome) }
    }

    /// The outcome if it is there.
    package var current: Result<Value, any Error>? { state.withLock { $0.outcome } }

    /// Waits for the value; a cancelled wait ends at once.
    package var value: Value {
        get async throws {
            let place = state.withLock { state in
                defer { state.next += 1 }
                return state.next
            }
            return try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { waiter in
                    let outcome = state.withLock { state -> Result<Value, any Error>? in
                        if let outcome = state.outcome { return outcome }
                        if Task.isCancelled { return .failure(CancellationError()) }
                        state.waiters[place] = waiter
                        return nil
                    }
                    if let outcome { waiter.resume(with: outcome) }
                }
            } onCancel: {
                state.withLock { $0.waiters.removeValue(forKey: place) }?.resume(throwing: CancellationError())
            }
        }
    }
}
