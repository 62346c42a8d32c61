internal import Core
internal import HTTPTypes
internal import Hummingbird
internal import MCP
internal import NIOCore

/// The transport of 2024-11-05: one stream of events for each client, and an address it posts to.
extension Front {
    /// The first event names the address for messages, which knows the session; all answers come as events.
    func events(_ request: Request, _ caller: Caller, _ context: HTTPContext) async throws -> Response {
        // Clients that try the newer transport first, by posting here, fall back when that is not allowed.
        guard request.method == .get else { throw Refusal.method("GET") }
        guard MediaRange.accepts(request.headers[.accept], "text/event-stream") else {
            throw Refusal(.notAcceptable, .invalidRequest("Accept must allow text/event-stream"))
        }
        try requireOpen()
        let outlet = Outlet(limit: configuration.limits.queue)
        let use = try await sessions.open(caller.principal, caller.scope, everythingOn: outlet)
        let path = "\(caller.scope.prefix)/message?sessionId=\(use.session.id)"
        let address = EventStream.bytes("endpoint", ByteBuffer(string: path))
        return try await EventStream(outlet: outlet, context: context, first: [address]) {
            [sessions, session = use.session] in sessions.end(session)
        }.response(holding: use)
    }

    func message(_ request: Request, _ caller: Caller) async throws -> Response {
        guard request.method == .post else { throw Refusal.method("POST") }
        guard let id = request.uri.queryParameters["sessionId"] else {
            throw Refusal(.badRequest, .invalidRequest("sessionId is missing"))
        }
        guard let use = sessions.use(String(id), by: caller.principal), use.session.scope == caller.scope else {
            throw Refusal.unknownSession()
        }
        let payload = try await payload(of: request, from: caller.principal)
        guard case .message(let message, let bytes) = payload else {
            throw Refusal(.badRequest, .invalidRequest("batches are not accepted"))
        }
        if case .request(let call) = message {
            do { _ = try use.session.begin([call], on: nil) } catch { throw Refusal(.badRequest, error, id: call.id) }
        }
        await use.session.deliver(bytes)
        use.session.heed(message)
        return .text("Accepted", .accepted)
    }
}
