package import AsyncAlgorithms
internal import Core
package import MCP
package import NIOCore
internal import NIOPosix
internal import Synchronization

/// One MCP session over HTTP, as the server's end of a connection: messages come in by POST, and what the server sends
/// goes out on whichever stream it belongs to.
package final class HTTPSession: Transport {
    /// Unguessable; it names the session, it does not authenticate anybody.
    package let id: String
    /// Whose it is. Nobody else finds it.
    package let principal: Principal
    /// Which servers it is about.
    package let scope: Scope

    /// The event loop of the connection that it was opened on.
    let executor = LoopExecutor(MultiThreadedEventLoopGroup.singleton.any())

    private let incoming = AsyncChannel<ByteBuffer>()
    private let streams: Mutex<SessionStreams<Outlet>>
    private let ending = Mutex<Failure?>(nil)
    private let agreed = Mutex<ProtocolVersion?>(nil)

    init(_ principal: Principal, _ scope: Scope, everythingOn outlet: Outlet? = nil) {
        id = RandomText.make(32)
        self.principal = principal
        self.scope = scope
        streams = Mutex(SessionStreams(everythingOn: outlet))
    }

    /// The revision of the handshake; nil before.
    var version: ProtocolVersion? {
        get { agreed.withLock { $0 } }
        set { agreed.withLock { $0 = newValue } }
    }

    package func connect<R: Sendable>(
        _ body: (AsyncChannel<ByteBuffer>, @escaping SendMessage) async throws -> R
    ) async throws -> R {
        defer { incoming.finish() }
        return try await body(incoming) { [self] message, relation in await send(message, relation) }
    }

    /// Bytes that may wait on all streams together before the session waits for its client.
    private static let maximumWaiting = 32 << 20

    /// A stream that is not read holds up no other one: what can be done without is left out there, and only where very
    /// much waits altogether the server waits too.
    private func send(_ bytes: ByteBuffer, _ relation: Relation) async {
        let outlet = pass { $0.place(bytes, relation, isOpen: { !$0.isNeglected }) }
        guard let outlet, !outlet.hasRoom else { return }
        let all = streams.withLock { $0.sinks }
        if all.count == 1 || all.reduce(0, { $0 + $1.size }) > Self.maximumWaiting { await outlet.room() }
    }

    /// Has the streams decide on something to be said, and queues it before they decide on anything else.
    @discardableResult
    private func pass(_ decide: (inout sending SessionStreams<Outlet>) -> SessionStreams<Outlet>.Delivery?) -> Outlet? {
        streams.withLock { streams in
            guard let delivery = decide(&streams) else { return nil }
            delivery.sink.add(delivery.isLast ? .last(delivery.event) : .message(delivery.event))
            return delivery.sink
        }
    }

    /// Hands a message of the client to the server; returns when the server has taken it.
    func deliver(_ bytes: ByteBuffer) async { await incoming.send(bytes) }

    // MARK: Requests

    /// - Parameter outlet: where the answers go; nil where the session has one stream for everything.
    /// - Returns: the number of the stream.
    func begin(
        _ requests: [RPC.Request], on outlet: Outlet?, isCommitted: Bool = false
    ) throws(RPC.Error) -> Int {
        try streams.withLock { streams throws(RPC.Error) in
            try streams.begin(requests, on: outlet, isCommitted: isCommitted)
        }
    }

    /// A request that has not been answered so far becomes a stream of events.
    func commit(_ stream: Int) { _ = streams.withLock { $0.commit(stream)?.add(.keepAlive) } }

    func disconnect(_ outlet: Outlet, from stream: Int) { streams.withLock { $0.disconnect(outlet, from: stream) } }

    /// Ends the wait for an answer that the server will not give, because the client has taken its request back.
    func cancel(_ id: RPC.ID) {
        let error = RPC.Error(code: -32800, message: "Request cancelled")
        let answer = RPC.Message.response(RPC.Response(id: id, outcome: .failure(error))).bytes
        pass { $0.cancel(id, answer) }
    }

    /// Requests that have not been answered yet.
    var unanswered: Int { streams.withLock { $0.unanswered } }

    // MARK: Streams

    /// - Returns: where the stream begins and what has waited for it; nil when there is one already.
    func openStandalone(_ outlet: Outlet) -> (position: EventID, waiting: [StreamEvent])? {
        streams.withLock { $0.openStandalone(outlet) }
    }

    /// Goes on with a stream. Who held it until now is sent away: it is the same client, on a connection that broke.
    func resume(after position: EventID, on outlet: Outlet) -> SessionStreams<Outlet>.Resumption? {
        let resumption = streams.withLock { $0.resume(after: position, on: outlet) }
        resumption?.previous?.close(discarding: true)
        return resumption
    }

    /// The client has ended the session: the server sees its input end, and may still answer what it was asked.
    func end() {
        incoming.finish()
        streams.withLock { $0.closeStandalone() }?.close()
    }

    /// The server has ended the session: nothing more comes from it.
    func finish(_ reason: Failure) {
        ending.withLock { if $0 == nil { $0 = reason } }
        incoming.finish()
        let error = RPC.Error(code: -32000, message: reason.description)
        let ends = streams.withLock { streams in
            streams.end { RPC.Message.response(RPC.Response(id: $0, outcome: .failure(error))).bytes }
        }
        for (outlet, words) in ends {
            for bytes in words { outlet.add(.message(StreamEvent(id: nil, bytes: bytes))) }
            outlet.close()
        }
    }

    func tick() { for outlet in streams.withLock({ $0.tick() }) { outlet.tick() } }

    /// Why the session has ended.
    var reason: Failure { ending.withLock { $0 } ?? Failure(.unavailable, "the session has ended") }
}
