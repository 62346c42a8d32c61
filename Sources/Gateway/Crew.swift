internal import Core

/// Does work in tasks of its own that end with the gateway, also work that is found where nothing can be waited for.
struct Crew: Sendable {
    private struct Work: Sendable {
        let executor: LoopExecutor?
        let body: @Sendable () async -> Void
    }

    private let work = AsyncStream.makeStream(of: Work.self, bufferingPolicy: .bufferingOldest(4096))

    /// - Parameter executor: where it is done; nil for wherever a thread is free.
    /// - Returns: false where the gateway is ending, or has far too much to do.
    func perform(on executor: LoopExecutor? = nil, _ body: @escaping @Sendable () async -> Void) -> Bool {
        if case .enqueued = work.continuation.yield(Work(executor: executor, body: body)) { return true }
        return false
    }

    func run() async {
        await withDiscardingTaskGroup { group in
            for await work in work.stream { group.addTask(executorPreference: work.executor) { await work.body() } }
            group.cancelAll()
        }
    }

    func finish() { work.continuation.finish() }
}
