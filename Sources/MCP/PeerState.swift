internal import Core

/// What one end of a JSON-RPC connection knows: requests of its own that wait, and requests of the other side at work.
///
/// `Waiter` and `Work` are whatever the shell wants to keep by id (a continuation, a task).
struct PeerState<Waiter, Work> {
    /// Requests of the other side at work at once; more are refused.
    static var maximumIncoming: Int { 256 }
    static var maximumOutgoing: Int { 4096 }

    private var nextID = 1
    private var outgoing: [RPC.ID: Waiter] = [:]
    private var incoming: [RPC.ID: Work] = [:]
    private(set) var closed: Failure?

    /// A new id for a request of ours.
    mutating func makeID() throws(Failure) -> RPC.ID {
        if let closed { throw closed }
        guard outgoing.count < Self.maximumOutgoing else {
            throw Failure(.resourceExhausted, "\(Self.maximumOutgoing) requests wait for an answer already")
        }
        defer { nextID += 1 }
        return RPC.ID(nextID)
    }

    /// Keeps a waiter until its answer comes; hands it back with the reason where the connection has closed meanwhile.
    mutating func wait(_ id: RPC.ID, _ waiter: Waiter) -> Failure? {
        if let closed { return closed }
        outgoing[id] = waiter
        return nil
    }

    /// The waiter for an answer, or for a cancellation of ours; nil for an answer nobody waits for.
    mutating func take(_ id: RPC.ID) -> Waiter? { outgoing.removeValue(forKey: id) }

    /// Notes a request of the other side.
    mutating func begin(_ id: RPC.ID, _ work: Work) throws(RPC.Error) {
        guard incoming[id] == nil else { throw .invalidRequest("the id \(id) is in use already") }
        guard incoming.count < Self.maximumIncoming else {
            throw RPC.Error(code: -32000, message: "more than \(Self.maximumIncoming) requests at once")
        }
        incoming[id] = work
    }

    mutating func end(_ id: RPC.ID) { incoming[id] = nil }

    var isBusy: Bool { !incoming.isEmpty }

    func work(_ id: RPC.ID) -> Work? { incoming[id] }

    /// Closes the connection; returns everybody who waited.
    mutating func close(_ reason: Failure) -> [Waiter] {
        if closed == nil { closed = reason }
        defer { outgoing = [:] }
        return Array(outgoing.values)
    }
}
