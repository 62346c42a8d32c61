internal import Core
internal import Inference

/// A lease that is waited for in pieces, so that something can be said in between. It ends with the object.
final class PendingLease: Sendable {
    private let lease = Promise<Lease>()
    private let task: Task<Void, Never>

    init(_ load: Load, of scheduler: Scheduler) {
        task = Task { [lease] in
            do { lease.fulfil(.success(try await scheduler.lease(load))) } catch { lease.fulfil(.failure(error)) }
        }
    }

    /// The lease; nil where it has not come after so long.
    ///
    /// - Throws: why it cannot be had; `CancellationError`.
    func wait(for duration: Duration) async throws -> Lease? {
        try await withThrowingTaskGroup(of: Lease?.self) { group in
            group.addTask { [lease] in try await lease.value }
            group.addTask {
                try await Task.sleep(for: duration)
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }

    deinit { task.cancel() }
}
