internal import Core
internal import MCP

/// The calls that are under way at one server: whose they are, and how long they may still take.
///
/// `Owner` is the session of the client who asked.
struct CallTable<Owner: AnyObject & Sendable>: Sendable {
    typealias Instant = ContinuousClock.Instant

    struct Call: Sendable {
        let owner: Owner
        /// The client's request; nil for one of the gateway's own.
        let request: RPC.ID?
        fileprivate var deadline: Instant?
        fileprivate let limit: Instant?
        fileprivate let patience: Duration?
        /// The request at the server.
        fileprivate var id: RPC.ID?
        fileprivate var isExpired = false
    }

    private var calls: [Int: Call] = [:]
    private var next = 0

    var isEmpty: Bool { calls.isEmpty }
    var count: Int { calls.count }

    /// - Parameters:
    ///   - patience: how long the server may take without a sign of progress.
    ///   - limit: how long it may take in any case.
    mutating func begin(
        _ owner: Owner, _ request: RPC.ID?, patience: Duration?, limit: Duration?, now: Instant
    ) -> Int {
        defer { next += 1 }
        let end = limit.map { now + $0 }
        let deadline = patience.map { now + $0 }
        calls[next] = Call(
            owner: owner, request: request, deadline: Self.earlier(deadline, end), limit: end, patience: patience)
        return next
    }

    mutating func sent(_ number: Int, as id: RPC.ID) { calls[number]?.id = id }

    mutating func progressed(_ number: Int, now: Instant) {
        guard let call = calls[number], let patience = call.patience else { return }
        calls[number]?.deadline = Self.earlier(now + patience, call.limit)
    }

    /// - Returns: whether the call was taken back because it took too long.
    mutating func end(_ number: Int) -> Bool { calls.removeValue(forKey: number)?.isExpired ?? false }

    /// The requests whose time is over; each is told once.
    mutating func expire(now: Instant) -> [RPC.ID] {
        calls.compactMap { number, call in
            guard let deadline = call.deadline, deadline <= now, !call.isExpired, let id = call.id else { return nil }
            calls[number]?.isExpired = true
            return id
        }
    }

    /// The call that the server knows as this request.
    func call(_ id: RPC.ID) -> Call? { calls.values.first { $0.id == id } }

    /// The latest call of an owner.
    func latest(of owner: Owner) -> Call? {
        calls.filter { $0.value.owner === owner }.max { $0.key < $1.key }?.value
    }

    /// Whose calls they all are; nil where there are none, or several owners.
    var soleOwner: Owner? {
        guard let first = calls.first?.value.owner, calls.values.allSatisfy({ $0.owner === first }) else { return nil }
        return first
    }

    private static func earlier(_ a: Instant?, _ b: Instant?) -> Instant? {
        guard let a, let b else { return a ?? b }
        return min(a, b)
    }
}
