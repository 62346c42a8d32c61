internal import Synchronization

/// Reports only what is further than anything before, as repeated requests begin again.
final class HighWater: Sendable {
    private let mark = Mutex<Int64>(-1)
    private let report: @Sendable (Int64) async throws -> Void

    init(_ report: @escaping @Sendable (Int64) async throws -> Void) { self.report = report }

    func reached(_ count: Int64) async throws {
        let isNew = mark.withLock { mark in
            guard count > mark else { return false }
            mark = count
            return true
        }
        if isNew { try await report(count) }
    }
}
