internal import Core
internal import NIOCore

/// What one end of a JSON-RPC connection knows: requests of its own that wait, and requests of the other side at work.
///
/// `Waiter` and `Work` are whatever the shell wants to keep by id.
struct PeerState<Waiter, Work> {
    /// Requests of the other side at work at once; more are refused.
    static var maximumIncoming: Int { 256 }
    static var maximumOutgoing: Int { 4096 }

    private struct Incoming {
        var work: Work
        /// The batch it came in.
        var batch: Int?
    }

    /// Requests that came together are answered together.
    private struct Batch {
        var open: Int
        var answers: [ByteBuffer] = []
    }

    private var nextID = 1
    private var outgoing: [RPC.ID: Waiter] = [:]
    private var incoming: [RPC.ID: Incoming] = [:]
    private var batches: [Int: Batch] = [:]
    private var nextBatch = 0
    private(set) var closed: Failure?

    /// Keeps a waiter until its answer comes.
    ///
    /// - Returns: the id of the request.
    /// - Throws: where the connection has closed, or too much is under way.
    mutating func ask(_ waiter: Waiter) throws(Failure) -> Int {
        if let closed { throw closed }
        guard outgoing.count < Self.maximumOutgoing else {
            throw Failure(.resourceExhausted, "\(Self.maximumOutgoing) requests wait for an answer already")
        }
        defer { nextID += 1 }
        outgoing[RPC.ID(nextID)] = waiter
        return nextID
    }

    /// The waiter for an answer, or for a cancellation of ours; nil for an answer nobody waits for.
    mutating func take(_ id: RPC.ID) -> Waiter? { outgoing.removeValue(forKey: id) }

    func waiter(_ id: RPC.ID) -> Waiter? { outgoing[id] }

    /// Notes a request of the other side.
    mutating func begin(_ id: RPC.ID, _ work: Work, batch: Int? = nil) throws(RPC.Error) {
        guard incoming[id] == nil else { throw .invalidRequest("the id \(id) is in use already") }
        guard incoming.count < Self.maximumIncoming else {
            throw RPC.Error(code: -32000, message: "more than \(Self.maximumIncoming) requests at once")
        }
        incoming[id] = Incoming(work: work, batch: batch)
    }

    /// Says who does a request that is under way.
    ///
    /// - Returns: false where it is over already.
    mutating func hand(_ id: RPC.ID, to work: Work) -> Bool {
        guard incoming[id] != nil else { return false }
        incoming[id]?.work = work
        return true
    }

    /// A request of the other side is over, with an answer or without.
    ///
    /// - Returns: whether it was under way, and what is to be sent: the answer, or those of its batch.
    mutating func end(_ id: RPC.ID, answer: ByteBuffer?) -> (wasOpen: Bool, bytes: ByteBuffer?) {
        guard let ended = incoming.removeValue(forKey: id) else { return (false, nil) }
        guard let batch = ended.batch else { return (true, answer) }
        return (true, close(batch, answer))
    }

    var isBusy: Bool { !incoming.isEmpty }

    func work(_ id: RPC.ID) -> Work? { incoming[id]?.work }

    /// Begins a batch of so many requests.
    mutating func beginBatch(of count: Int) -> Int {
        defer { nextBatch += 1 }
        batches[nextBatch] = Batch(open: count)
        return nextBatch
    }

    /// One request of a batch is over.
    ///
    /// - Returns: all answers, where it was the last one and there are any.
    mutating func close(_ batch: Int, _ answer: ByteBuffer?) -> ByteBuffer? {
        guard var found = batches[batch] else { return nil }
        if let answer { found.answers.append(answer) }
        found.open -= 1
        batches[batch] = found.open > 0 ? found : nil
        guard found.open <= 0, !found.answers.isEmpty else { return nil }
        var out = ByteBuffer(string: "[")
        for (number, answer) in found.answers.enumerated() {
            if number > 0 { out.writeString(",") }
            out.writeImmutableBuffer(answer)
        }
        out.writeString("]")
        return out
    }

    /// Closes the connection; returns everybody who waited, and all work that nobody wants any more.
    mutating func close(_ reason: Failure) -> (waiters: [(id: RPC.ID, waiter: Waiter)], work: [Work]) {
        if closed == nil { closed = reason }
        defer { (outgoing, incoming, batches) = ([:], [:], [:]) }
        return (outgoing.map { ($0, $1) }, incoming.values.map(\.work))
    }
}
