internal import Core
internal import Synchronization

/// A request's hold on a runner: while it lasts the runner is not evicted.
package final class Lease: Sendable {
    package let runner: Runner
    private let scheduler: Scheduler
    private let isReleased = Atomic(false)

    init(_ runner: Runner, of scheduler: Scheduler) {
        self.runner = runner
        self.scheduler = scheduler
    }

    /// Ends the lease; a second time changes nothing.
    package func release() {
        if isReleased.exchange(true, ordering: .acquiringAndReleasing) { return }
        scheduler.release(runner.id)
    }

    // A response whose body is never written drops its lease without a word.
    deinit { release() }
}

/// Where a request stands that waits for its model.
package enum WaitingPosition: Sendable, Hashable {
    /// Its engine is being started.
    case loading
    /// So many other requests are served with a place or with memory before it.
    case queued(ahead: Int)
}

/// A lease that was asked for.
package final class LeaseRequest: Sendable {
    private let ticket: SchedulerState.Ticket
    private let promise: Promise<Runner>
    private let scheduler: Scheduler
    private let isTaken = Atomic(false)

    init(ticket: SchedulerState.Ticket, promise: Promise<Runner>, of scheduler: Scheduler) {
        self.ticket = ticket
        self.promise = promise
        self.scheduler = scheduler
    }

    /// How far it is; nil once it is decided.
    package var position: WaitingPosition? { scheduler.position(of: ticket) }

    /// Waits for it. To be called once; cancelling the task gives the place in the queue up.
    ///
    /// - Throws: why the engine could not be started; `.resourceExhausted` when too many wait or memory is short;
    ///   `CancellationError`.
    package func lease() async throws -> Lease {
        do {
            let runner = try await promise.value
            _ = isTaken.exchange(true, ordering: .acquiringAndReleasing)
            return Lease(runner, of: scheduler)
        } catch {
            giveUp()
            throw error
        }
    }

    private func giveUp() {
        if isTaken.exchange(true, ordering: .acquiringAndReleasing) { return }
        scheduler.abandon(ticket, promise)
    }

    // One that nobody has waited for must not hold its place for ever.
    deinit { giveUp() }
}
