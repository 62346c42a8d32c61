internal import Core
internal import HTTPTypes
internal import Hummingbird
internal import MCP
internal import NIOCore

/// Streamable HTTP: one address, a POST for each message, a GET for what belongs to none.
extension Front {
    func mcp(_ request: Request, _ context: HTTPContext) async throws -> Response {
        switch request.method {
        case .post: return try await post(request, context)
        case .get: return try await get(request, context)
        case .delete:
            sessions.end(try use(of: request, id: nil).session)
            return Response(status: .noContent)
        default: throw Refusal.method("GET, POST, DELETE")
        }
    }

    private func post(_ request: Request, _ context: HTTPContext) async throws -> Response {
        guard MediaRange.accepts(request.headers[.accept], "application/json", "text/event-stream") else {
            throw Refusal(
                .notAcceptable, .invalidRequest("Accept must allow application/json and text/event-stream"))
        }
        let (message, bytes) = try await message(in: request)
        guard case .request(let call) = message else {
            let use = try use(of: request, id: nil)
            await use.session.deliver(bytes)
            if case .notification(let note) = message, note.method == "notifications/cancelled",
                let id = note.params?["requestId"].flatMap(RPC.ID.init)
            {
                await use.session.cancel(id)
            }
            return Response(status: .accepted)
        }
        guard call.method == "initialize", request.headers[.sessionID] == nil else {
            return try await answer(call, bytes, try use(of: request, id: call.id), context)
        }
        try checkVersion(of: request, id: call.id)
        let use = try await sessions.open()
        return try await answer(call, bytes, use, context, isNew: true)
    }

    /// Waits for the first thing the server has to say: where that is the answer, it goes out as plain JSON; where
    /// something comes before it, as a stream of events.
    private func answer(
        _ call: RPC.Request, _ bytes: ByteBuffer, _ use: Sessions.Use, _ context: HTTPContext, isNew: Bool = false
    ) async throws -> Response {
        let session = use.session
        let outlet = Outlet(limit: configuration.limits.queue)
        do { try session.begin(call, on: outlet) } catch { throw Refusal(.badRequest, error, id: call.id) }
        await session.deliver(bytes)
        switch await outlet.next() {
        case .last(let answer):
            withExtendedLifetime(use) {}
            guard isNew else { return .message(answer) }
            guard case .response(let response)? = try? RPC.Message(parsing: answer), case .success = response.outcome
            else {
                // A handshake that failed leaves no session behind.
                sessions.end(session)
                return .message(answer, .badRequest)
            }
            var opened = Response.message(answer)
            opened.headers[.sessionID] = session.id
            return opened
        case .some(let first):
            let disconnection = try await context.disconnection()
            let stream = EventStream(
                outlet: outlet, disconnection: disconnection, first: [EventStream.bytes(first)]
            ) { session.disconnect(call.id) }
            var response = stream.response(holding: use)
            if isNew { response.headers[.sessionID] = session.id }
            return response
        case nil:
            session.disconnect(call.id)
            throw Refusal(.notFound, RPC.Error(code: -32001, message: session.reason.description), id: call.id)
        }
    }

    private func get(_ request: Request, _ context: HTTPContext) async throws -> Response {
        guard MediaRange.accepts(request.headers[.accept], "text/event-stream") else {
            throw Refusal(.notAcceptable, .invalidRequest("Accept must allow text/event-stream"))
        }
        let use = try use(of: request, id: nil)
        let disconnection = try await context.disconnection()
        let outlet = Outlet(limit: configuration.limits.queue)
        guard let waiting = use.session.openStandalone(outlet) else {
            throw Refusal(.conflict, .invalidRequest("this session has such a stream already"))
        }
        return EventStream(
            outlet: outlet, disconnection: disconnection,
            first: waiting.map { EventStream.bytes(.message($0)) }
        ) { [session = use.session] in session.closeStandalone() }.response(holding: use)
    }

    /// The session a request belongs to.
    private func use(of request: Request, id: RPC.ID?) throws -> Sessions.Use {
        try checkVersion(of: request, id: id)
        guard let session = request.headers[.sessionID] else {
            throw Refusal(.badRequest, .invalidRequest("the header Mcp-Session-Id is missing"), id: id)
        }
        guard let use = sessions.use(session) else {
            throw Refusal(.notFound, Refusal.unknownSession.error, id: id)
        }
        return use
    }

    /// A client of the newer, stateless revisions asks under its own first, and falls back when that is refused.
    private func checkVersion(of request: Request, id: RPC.ID?) throws {
        guard let version = request.headers[.protocolVersion], ProtocolVersion(rawValue: version) == nil else { return }
        let known = ProtocolVersion.allCases.map(\.rawValue).joined(separator: ", ")
        throw Refusal(
            .badRequest, .invalidRequest("unsupported MCP-Protocol-Version; supported: \(known)"), id: id)
    }
}
