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
