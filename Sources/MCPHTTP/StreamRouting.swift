internal import Core
internal import MCP
internal import NIOCore

/// Which HTTP stream each message of a session's server goes out on. `Stream` is whatever the shell writes to.
struct StreamRouting<Stream: Sendable>: Sendable {
    /// Requests of one session at work at once; as many as a `Peer` takes.
    static var maximumRequests: Int { 256 }
    /// Messages, and their bytes, kept for a client that has no stream open.
    static var maximumKept: Int { 64 }
    static var maximumKeptBytes: Int { 1 << 20 }

    private struct Route: Sendable {
        let number: Int
        let token: String?
        /// Nil when the client has left the request's connection; the request goes on all the same.
        var stream: Stream?
    }

    private var routes: [RPC.ID: Route] = [:]
    private var tokens: [String: RPC.ID] = [:]
    private var next = 0
    private var standalone: Stream?
    private var kept: [ByteBuffer] = []
    private var keptBytes = 0
    private let everything: Stream?

    /// - Parameter everything: the one stream of a session that has only one, as in the transport of 2024-11-05.
    init(everythingOn everything: Stream? = nil) { self.everything = everything }

    /// Notes a request of the client, and the stream of the POST that carried it.
    mutating func begin(_ request: RPC.Request, on stream: Stream) throws(RPC.Error) {
        guard routes[request.id] == nil else { throw .invalidRequest("the id \(request.id) is in use already") }
        guard routes.count < Self.maximumRequests else {
            throw RPC.Error(code: -32000, message: "more than \(Self.maximumRequests) requests at once")
        }
        let token = request.params?["_meta"]?["progressToken"].flatMap(RPC.ID.init)?.text
        if let token { tokens[token] = request.id }
        routes[request.id] = Route(number: next, token: token, stream: stream)
        next += 1
    }

    /// The client has left a request's connection: that is no cancellation, but nothing can be told there any more.
    mutating func disconnect(_ id: RPC.ID) { routes[id]?.stream = nil }

    /// Forgets a request that will not be answered.
    ///
    /// - Returns: its stream, where it still has one.
    mutating func cancel(_ id: RPC.ID) -> Stream? { remove(id)?.stream }

    /// Opens the stream for what belongs to no request.
    ///
    /// - Returns: the messages that waited for it; nil when there is such a stream already.
    mutating func openStandalone(_ stream: Stream) -> [ByteBuffer]? {
        guard standalone == nil else { return nil }
        standalone = stream
        defer { (kept, keptBytes) = ([], 0) }
        return kept
    }

    mutating func closeStandalone() -> Stream? {
        defer { standalone = nil }
        return standalone
    }

    /// Where a message goes, and whether it is the last one there; nil where it was kept or nobody wants it.
    mutating func place(_ message: RPC.Message, _ bytes: ByteBuffer) -> (stream: Stream, isLast: Bool)? {
        if let everything { return (everything, false) }
        switch message {
        case .response(let response):
            // An answer without an id answers nothing we let through.
            return response.id.flatMap { remove($0) }?.stream.map { ($0, true) }
        case .notification(let notification) where notification.method == "notifications/progress":
            // Progress of what has been answered already is of no use to anybody.
            let token = notification.params?["progressToken"].flatMap(RPC.ID.init)?.text
            return token.flatMap { tokens[$0] }.flatMap { routes[$0]?.stream }.map { ($0, false) }
        case .notification, .request:
            let latest = routes.values.filter { $0.stream != nil }.max { $0.number < $1.number }
            if let stream = latest?.stream ?? standalone { return (stream, false) }
            keep(bytes)
            return nil
        }
    }

    /// Every stream that is open; none is used afterwards.
    mutating func end() -> [Stream] {
        defer { (routes, tokens, standalone, kept, keptBytes) = ([:], [:], nil, [], 0) }
        return routes.values.compactMap(\.stream) + [standalone, everything].compactMap { $0 }
    }

    /// Every stream that is open.
    var streams: [Stream] { routes.values.compactMap(\.stream) + [standalone, everything].compactMap { $0 } }

    private mutating func remove(_ id: RPC.ID) -> Route? {
        guard let route = routes.removeValue(forKey: id) else { return nil }
        if let token = route.token, tokens[token] == id { tokens[token] = nil }
        return route
    }

    private mutating func keep(_ bytes: ByteBuffer) {
        guard bytes.readableBytes <= Self.maximumKeptBytes else { return }
        kept.append(bytes)
        keptBytes += bytes.readableBytes
        while kept.count > Self.maximumKept || keptBytes > Self.maximumKeptBytes {
            keptBytes -= kept.removeFirst().readableBytes
        }
    }
}
