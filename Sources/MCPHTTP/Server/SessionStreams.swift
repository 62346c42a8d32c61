internal import Core
internal import MCP
internal import NIOCore

/// The HTTP streams of one session: which one each message of its server goes out on, and what is kept for a client
/// that comes back for it. `Sink` is whatever the shell writes to.
struct SessionStreams<Sink: Sendable & Equatable>: Sendable {
    /// Requests of one session at work at once; as many as a `Peer` takes.
    static var maximumRequests: Int { 256 }
    /// The stream of what belongs to no request.
    static var standalone: Int { 0 }

    private struct Stream: Sendable {
        /// Nil where the client has left, or not come yet; the requests go on all the same.
        var sink: Sink?
        /// Requests whose answers are still to come.
        var waiting: Set<RPC.ID> = []
        /// Whether it is a stream of events for certain, and not yet perhaps a single answer.
        var isCommitted = false
        /// The number of its last event, and of the last one that somebody was there for.
        var last = 0
        var delivered = 0
        var beats = 0
    }

    /// A message, and where it goes.
    struct Delivery: Sendable {
        let sink: Sink
        let event: StreamEvent
        /// Whether nothing follows it there.
        let isLast: Bool
    }

    private var streams: [Int: Stream] = [:]
    private var owners: [RPC.ID: (stream: Int, token: String?)] = [:]
    private var tokens: [String: RPC.ID] = [:]
    private var log = EventLog()
    private var next = 1
    private let isResumable: Bool

    /// - Parameter everything: the one stream of a session that has only one, as in the transport of 2024-11-05.
    init(everythingOn everything: Sink? = nil) {
        isResumable = everything == nil
        streams[Self.standalone] = Stream(sink: everything, isCommitted: true)
    }

    /// Requests that have not been answered yet.
    var unanswered: Int { owners.count }

    // MARK: Requests

    /// Notes requests of the client and the stream of the POST that carried them.
    ///
    /// - Parameters:
    ///   - sink: nil where the session has only one stream.
    ///   - isCommitted: whether it is a stream of events whatever comes first.
    /// - Returns: the stream's number.
    mutating func begin(
        _ requests: [RPC.Request], on sink: Sink?, isCommitted: Bool = false
    ) throws(RPC.Error) -> Int {
        var ids: Set<RPC.ID> = []
        for request in requests {
            guard owners[request.id] == nil, ids.insert(request.id).inserted else {
                throw .invalidRequest("the id \(request.id) is in use already")
            }
        }
        guard owners.count + ids.count <= Self.maximumRequests else {
            throw RPC.Error(code: -32000, message: "more than \(Self.maximumRequests) requests at once")
        }
        if streams.count > 2 * Self.maximumRequests { tidy() }
        var number = Self.standalone
        if let sink {
            number = next
            next += 1
            streams[number] = Stream(sink: sink, waiting: ids, isCommitted: isCommitted)
        }
        for request in requests {
            let token = request.params?["_meta"]?["progressToken"].flatMap(RPC.ID.init)?.text
            owners[request.id] = (number, token)
            if let token { tokens[token] = request.id }
        }
        return number
    }

    /// Makes a stream of events of a POST that might have been answered with one message.
    ///
    /// - Returns: its sink, unless it is one already or has been answered.
    mutating func commit(_ number: Int) -> Sink? {
        guard let stream = streams[number], !stream.isCommitted, !stream.waiting.isEmpty else { return nil }
        streams[number]?.isCommitted = true
        return stream.sink
    }

    /// The server's answer is not wanted any more: another one takes its place.
    mutating func cancel(_ id: RPC.ID, _ answer: ByteBuffer) -> Delivery? {
        // Only a POST has to be ended by some answer.
        guard let number = finish(id), number != Self.standalone else { return nil }
        return deliver(answer, on: number)
    }

    // MARK: Messages of the server

    /// Where a message goes; nil where it was kept or nobody wants it.
    ///
    /// - Parameter isOpen: whether a sink still takes what can be done without.
    mutating func place(_ bytes: ByteBuffer, _ relation: Relation, isOpen: (Sink) -> Bool = { _ in true }) -> Delivery?
    {
        if let sink = sink(for: relation), !isOpen(sink), Self.isNotification(bytes) { return nil }
        return place(bytes, relation)
    }

    private func sink(for relation: Relation) -> Sink? {
        switch relation {
        case .answer: nil
        case .request(let id): streams[owners[id]?.stream ?? Self.standalone]?.sink
        case .none: streams[Self.standalone]?.sink
        }
    }

    private static func isNotification(_ bytes: ByteBuffer) -> Bool {
        if case .notification? = try? RPC.Message(parsing: bytes) { true } else { false }
    }

    /// The streams that somebody reads, or should.
    var sinks: [Sink] { streams.values.compactMap(\.sink) }

    private mutating func place(_ bytes: ByteBuffer, _ relation: Relation) -> Delivery? {
        switch relation {
        // An answer without an id answers nothing we let through.
        case .answer(let id): return id.flatMap { finish($0) }.flatMap { deliver(bytes, on: $0) }
        case .request(let id):
            if let owner = owners[id]?.stream { return deliver(bytes, on: owner) }
            // Progress of what has been answered already is of no use to anybody.
            return Self.progressToken(bytes) == nil ? deliver(bytes, on: Self.standalone) : nil
        case .none:
            // Progress belongs to the request that asked for it, also where its sender does not say so.
            guard let token = Self.progressToken(bytes) else {
                return deliver(bytes, on: Self.standalone)
            }
            return tokens[token].flatMap { owners[$0]?.stream }.flatMap { deliver(bytes, on: $0) }
        }
    }

    /// The token of a message that tells of progress.
    private static func progressToken(_ bytes: ByteBuffer) -> String? {
        guard case .notification(let notification)? = try? RPC.Message(parsing: bytes),
            notification.method == "notifications/progress"
        else { return nil }
        return notification.params?["progressToken"].flatMap(RPC.ID.init)?.text
    }

    /// Forgets a request; returns its stream.
    private mutating func finish(_ id: RPC.ID) -> Int? {
        guard let (number, token) = owners.removeValue(forKey: id) else { return nil }
        streams[number]?.waiting.remove(id)
        if let token, tokens[token] == id { tokens[token] = nil }
        return number
    }

    private mutating func deliver(_ bytes: ByteBuffer, on number: Int) -> Delivery? {
        guard var stream = streams[number] else { return nil }
        let isLast = number != Self.standalone && stream.waiting.isEmpty
        // An answer that comes first is no stream, and one whose client has left before it was can't be asked for.
        if !isLast, stream.sink != nil { stream.isCommitted = true }
        var id: EventID?
        if isResumable, stream.isCommitted {
            stream.last += 1
            let name = EventID(stream: number, number: stream.last)
            log.append(name, bytes)
            id = name
        }
        if stream.sink != nil { stream.delivered = stream.last }
        let sink = stream.sink
        if isLast { stream.sink = nil }
        streams[number] = isLast && !log.has(stream: number) ? nil : stream
        return sink.map { Delivery(sink: $0, event: StreamEvent(id: id, bytes: bytes), isLast: isLast) }
    }

    // MARK: Connections

    /// Opens the stream for what belongs to no request.
    ///
    /// - Returns: where it begins and what has waited for it; nil when there is such a stream already.
    mutating func openStandalone(_ sink: Sink) -> (position: EventID, waiting: [StreamEvent])? {
        guard let stream = streams[Self.standalone], stream.sink == nil else { return nil }
        let position = EventID(stream: Self.standalone, number: stream.delivered)
        streams[Self.standalone]?.sink = sink
        streams[Self.standalone]?.delivered = stream.last
        return (position, log.events(after: position))
    }

    struct Resumption: Sendable {
        let missed: [StreamEvent]
        /// Who held the stream until now.
        let previous: Sink?
        /// Whether nothing more will come on it.
        let isOver: Bool
    }

    /// Goes on with a stream after one of its events.
    ///
    /// - Returns: nil where nothing is known of it, or not any more.
    mutating func resume(after position: EventID, on sink: Sink) -> Resumption? {
        guard isResumable, var stream = streams[position.stream], stream.isCommitted, position.number <= stream.last
        else { return nil }
        let isOver = position.stream != Self.standalone && stream.waiting.isEmpty
        let previous = stream.sink
        stream.sink = isOver ? nil : sink
        stream.delivered = stream.last
        streams[position.stream] = stream
        return Resumption(missed: log.events(after: position), previous: previous, isOver: isOver)
    }

    /// The client has left a stream's connection: that is no cancellation, but nothing can be told there any more.
    mutating func disconnect(_ sink: Sink, from number: Int) {
        guard streams[number]?.sink == sink else { return }
        streams[number]?.sink = nil
        tidy()
    }

    /// Closes the stream for what belongs to no request.
    mutating func closeStandalone() -> Sink? {
        defer { streams[Self.standalone]?.sink = nil }
        return streams[Self.standalone]?.sink
    }

    /// Ends every stream; none is used afterwards.
    ///
    /// - Parameter answer: what those get who still wait on a stream of events; the others have heard nothing so far, and
    ///   are told with a status.
    /// - Returns: the streams that are open, and their last words.
    mutating func end(_ answer: (RPC.ID) -> ByteBuffer) -> [(sink: Sink, words: [ByteBuffer])] {
        defer { (streams, owners, tokens, log) = ([:], [:], [:], EventLog()) }
        return streams.compactMap { number, stream in
            guard let sink = stream.sink else { return nil }
            let waiting = stream.isCommitted ? owners.filter { $0.value.stream == number }.map(\.key) : []
            return (sink, waiting.map(answer))
        }
    }

    /// A beat of the clock: what was silent for a whole beat is a stream of events from now on; what is old is forgotten.
    ///
    /// - Returns: every stream that is open.
    mutating func tick() -> [Sink] {
        for number in streams.keys {
            streams[number]?.beats += 1
            if let stream = streams[number], stream.beats > 1, !stream.waiting.isEmpty {
                streams[number]?.isCommitted = true
            }
        }
        log.tick()
        tidy()
        return streams.values.compactMap(\.sink)
    }

    /// Forgets streams that are over and of which nothing is kept.
    private mutating func tidy() {
        guard streams.count > 1 else { return }
        for (number, stream) in streams where number != Self.standalone && stream.waiting.isEmpty && stream.sink == nil
        {
            if !log.has(stream: number) { streams[number] = nil }
        }
    }
}
