internal import Core
internal import MCP
internal import Synchronization

/// The parked calls of all modern clients, and the key of their states: one for each process.
package final class Parking: Sendable {
    let seal = StateSeal()
    private let table: Mutex<ParkedCalls<ModernClient.Parked>>
    private let identities = Mutex<UInt64>(0)
    private let start = ContinuousClock.now

    package init(limits: ParkedCalls<ModernClient.Parked>.Limits = .init()) {
        table = Mutex(ParkedCalls(limits: limits))
    }

    /// Milliseconds since this was made.
    var now: Int64 {
        let time = (ContinuousClock.now - start).components
        return time.seconds * 1000 + time.attoseconds / 1_000_000_000_000_000
    }

    func makeIdentity() -> UInt64 {
        identities.withLock { next in
            next += 1
            return next
        }
    }

    func change(_ body: (inout ParkedCalls<ModernClient.Parked>) throws -> Void) throws {
        try table.withLock { try body(&$0) }
    }

    /// The calls of one client that nobody has come back for.
    func expired(of identity: UInt64) -> [RPC.ID] {
        table.withLock { $0.expire(now: now, where: { $0.client == identity }) }.compactMap(\.call)
    }

    func forget(_ identity: UInt64) { table.withLock { $0.removeAll { $0.client == identity } } }
}
