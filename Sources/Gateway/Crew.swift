internal import Core

/// Does work in tasks of its own that end with the gateway, also work that is found where nothing can be waited for.
struct Crew: Sendable {
    private let work = AsyncStream.makeStream(
        of: (@Sendable () async -> Void).self, bufferingPolicy: .bufferingOldest(4096))

    /// - Returns: false where the gateway is ending, or has far too much to do.
    func perform(_ body: @escaping @Sendable () async -> Void) -> Bool {
        if case .enqueued = work.continuation.yield(body) { return true }
        return false
    }

    func run() async {
        await withDiscardingTaskGroup { group in
            for await body in work.stream { group.addTask { await body() } }
            group.cancelAll()
        }
    }

    func finish() { work.continuation.finish() }
}
