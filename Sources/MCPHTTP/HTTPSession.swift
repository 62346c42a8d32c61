package import AsyncAlgorithms
internal import Core
package import MCP
package import NIOCore
internal import Synchronization

/// One MCP session over HTTP, as the server's end of a connection: messages come in by POST, and what the server sends
/// goes out on whichever stream it belongs to.
package final class HTTPSession: Transport {
    /// Unguessable; it names the session, it does not authenticate anybody.
    package let id: String

    private let incoming = AsyncChannel<ByteBuffer>()
    private let routing: Mutex<StreamRouting<Outlet>>
    private let ending = Mutex<Failure?>(nil)

    init(everythingOn outlet: Outlet? = nil) {
        id = RandomText.make(32)
        routing = Mutex(StreamRouting(everythingOn: outlet))
    }

    package func connect<R: Sendable>(
        _ body: (AsyncChannel<ByteBuffer>, @escaping SendMessage) async throws -> R
    ) async throws -> R {
        defer { incoming.finish() }
        return try await body(incoming) { [self] message, _ in try await send(message) }
    }

    private func send(_ bytes: ByteBuffer) async throws {
        let message = try RPC.Message(parsing: bytes)
        guard let (outlet, isLast) = routing.withLock({ $0.place(message, bytes) }) else { return }
        await outlet.send(isLast ? .last(bytes) : .message(bytes))
    }

    /// Hands a message of the client to the server; returns when the server has taken it.
    func deliver(_ bytes: ByteBuffer) async { await incoming.send(bytes) }

    func begin(_ request: RPC.Request, on outlet: Outlet) throws(RPC.Error) {
        try routing.withLock { routing throws(RPC.Error) in try routing.begin(request, on: outlet) }
    }

    func disconnect(_ id: RPC.ID) { routing.withLock { $0.disconnect(id) } }

    /// Ends the wait for an answer that the server will not give, because the client has taken its request back.
    func cancel(_ id: RPC.ID) async {
        let error = RPC.Error(code: -32800, message: "Request cancelled")
        let answer = RPC.Message.response(RPC.Response(id: id, outcome: .failure(error)))
        await routing.withLock { $0.cancel(id) }?.send(.last(answer.bytes))
    }

    /// - Returns: what waited for such a stream; nil when there is one already.
    func openStandalone(_ outlet: Outlet) -> [ByteBuffer]? { routing.withLock { $0.openStandalone(outlet) } }

    func closeStandalone() { routing.withLock { $0.closeStandalone() }?.close(discarding: true) }

    /// The client has ended the session: the server sees its input end, and may still answer what it was asked.
    func end() {
        incoming.finish()
        routing.withLock { $0.closeStandalone() }?.close()
    }

    /// The server has ended the session: nothing more comes from it.
    func finish(_ reason: Failure) {
        ending.withLock { if $0 == nil { $0 = reason } }
        incoming.finish()
        for outlet in routing.withLock({ $0.end() }) { outlet.close() }
    }

    func tick() { for outlet in routing.withLock({ $0.streams }) { outlet.tick() } }

    /// Why the session has ended.
    var reason: Failure { ending.withLock { $0 } ?? Failure(.unavailable, "the session has ended") }
}
