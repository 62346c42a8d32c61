internal import Core
internal import Inference

/// A lease that is waited for in pieces, so that something can be said in between. It ends with the object.
final class PendingLease: Sendable {
    private let lease = Promise<Lease>()
    private let request: LeaseRequest
    private let task: Task<Void, Never>

    /// - Throws: what is known at once.
    init(_ load: Load, of scheduler: Scheduler) throws {
        let request = try scheduler.request(load)
        self.request = request
        task = Task { [lease] in
            do { lease.fulfil(.success(try await request.lease())) } catch { lease.fulfil(.failure(error)) }
        }
    }

    /// How far it is; nil once it is decided.
    var position: WaitingPosition? { request.position }

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
