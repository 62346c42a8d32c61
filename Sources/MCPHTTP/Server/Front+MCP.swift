internal import Core
internal import HTTPTypes
internal import Hummingbird
internal import MCP
internal import NIOCore

/// Streamable HTTP: one address, a POST for each message, a GET for what belongs to none.
extension Front {
    func mcp(_ request: Request, _ caller: Caller, _ context: HTTPContext) async throws -> Response {
        switch request.method {
        case .post: return try await post(request, caller, context)
        case .get: return try await get(request, caller, context)
        case .delete:
            sessions.end(try use(of: request, caller).session)
            return Response(status: .noContent)
        default: throw Refusal.method("GET, POST, DELETE")
        }
    }

    private func post(_ request: Request, _ caller: Caller, _ context: HTTPContext) async throws -> Response {
        guard MediaRange.accepts(request.headers[.accept], "application/json", "text/event-stream") else {
            throw Refusal(
                .notAcceptable, .invalidRequest("Accept must allow application/json and text/event-stream"))
        }
        let payload = try await payload(of: request, from: caller.principal)
        switch payload.era(version: request.headers[.protocolVersion]) {
        case .modern: return try await modern(payload, request, caller, context)
        case .handshake: return try await handshake(payload, request, caller, context)
        }
    }

    /// A POST of the revisions with a handshake.
    private func handshake(
        _ payload: Payload, _ request: Request, _ caller: Caller, _ context: HTTPContext
    ) async throws -> Response {
        if case .message(.request(let call), let bytes) = payload, call.method == "initialize",
            request.headers[.sessionID] == nil
        {
            try checkVersion(of: request, id: call.id)
            return try await initialize(call, bytes, try await sessions.open(caller.principal, caller.scope), context)
        }
        let use = try use(of: request, caller, id: payload.id)
        switch payload {
        case .message(.request(let call), let bytes): return try await answer(call, bytes, use, context)
        case .message(let message, let bytes):
            await use.session.deliver(bytes)
            use.session.heed(message)
            return Response(status: .accepted)
        case .batch(let messages): return try await answer(batch: messages, payload.requests, use, context)
        }
    }

    /// The first answer of a session names it; a handshake that fails leaves none behind.
    private func initialize(
        _ call: RPC.Request, _ bytes: ByteBuffer, _ use: Sessions.Use, _ context: HTTPContext
    ) async throws -> Response {
        let session = use.session
        let outlet = Outlet(limit: configuration.limits.queue)
        do { _ = try session.begin([call], on: outlet) } catch { throw Refusal(.badRequest, error, id: call.id) }
        await session.deliver(bytes)
        while let item = await outlet.next() {
            // Nothing may come before it, and nothing is resumed: it is waited for.
            guard case .last(let answer) = item else { continue }
            guard case .response(let response)? = try? RPC.Message(parsing: answer.bytes),
                case .success(let result) = response.outcome
            else {
                sessions.end(session)
                return .message(answer.bytes, .badRequest)
            }
            session.version = (try? result["protocolVersion"]?.parsed())?.string.flatMap(
                ProtocolVersion.init(rawValue:))
            var opened = Response.message(answer.bytes)
            opened.headers[.sessionID] = session.id
            return opened
        }
        throw Refusal(.notFound, RPC.Error(code: -32001, message: session.reason.description), id: call.id)
    }

    /// Waits for the first thing the server has to say: where that is the answer, it goes out as plain JSON; where
    /// something comes before it, or nothing for a while, as a stream of events.
    private func answer(
        _ call: RPC.Request, _ bytes: ByteBuffer, _ use: Sessions.Use, _ context: HTTPContext
    ) async throws -> Response {
        let session = use.session
        let outlet = Outlet(limit: configuration.limits.queue)
        let stream: Int
        do { stream = try session.begin([call], on: outlet) } catch { throw Refusal(.badRequest, error, id: call.id) }
        // Where streams begin with a position, a slow answer gets one early, so that it survives its connection.
        let timer =
            session.opensStreams
            ? context.after(configuration.limits.quick) { [weak session] in session?.commit(stream) } : nil
        await session.deliver(bytes)
        let first = await outlet.next()
        timer?.cancel()
        switch first {
        case .last(let answer) where answer.id == nil:
            withExtendedLifetime(use) {}
            return .message(answer.bytes)
        case .some(let first):
            var events = [EventStream.bytes(first)]
            if session.opensStreams { events.insert(EventStream.opening(EventID(stream: stream, number: 0)), at: 0) }
            var isOver = false
            if case .last = first { isOver = true }
            return try await EventStream(outlet: outlet, context: context, first: events, isOver: isOver) {
                session.disconnect(outlet, from: stream)
            }.response(holding: use)
        case nil:
            session.disconnect(outlet, from: stream)
            throw Refusal(.notFound, RPC.Error(code: -32001, message: session.reason.description), id: call.id)
        }
    }

    /// Several messages at once: the answers come as events, each as soon as it is there.
    private func answer(
        batch messages: [(message: RPC.Message, bytes: ByteBuffer)], _ requests: [RPC.Request], _ use: Sessions.Use,
        _ context: HTTPContext
    ) async throws -> Response {
        let session = use.session
        guard session.version == .v20250326 else {
            throw Refusal(.badRequest, .invalidRequest("batches belong to revision 2025-03-26 only"))
        }
        guard !requests.contains(where: { $0.method == "initialize" }) else {
            throw Refusal(.badRequest, .invalidRequest("initialize must not be part of a batch"))
        }
        let outlet = Outlet(limit: configuration.limits.queue)
        var stream: Int?
        if !requests.isEmpty {
            do { stream = try session.begin(requests, on: outlet, isCommitted: true) } catch {
                throw Refusal(.badRequest, error)
            }
        }
        for (message, bytes) in messages {
            await session.deliver(bytes)
            session.heed(message)
        }
        guard let stream else { return Response(status: .accepted) }
        return try await EventStream(outlet: outlet, context: context) {
            session.disconnect(outlet, from: stream)
        }.response(holding: use)
    }

    /// The stream for what belongs to no request; or any stream, from an event on that the client has seen last.
    private func get(_ request: Request, _ caller: Caller, _ context: HTTPContext) async throws -> Response {
        guard MediaRange.accepts(request.headers[.accept], "text/event-stream") else {
            throw Refusal(.notAcceptable, .invalidRequest("Accept must allow text/event-stream"))
        }
        let use = try use(of: request, caller)
        let session = use.session
        let outlet = Outlet(limit: configuration.limits.queue)
        let position: EventID
        let missed: [StreamEvent]
        var isOver = false
        if let text = request.headers[.lastEventID] {
            guard let last = EventID(text), let resumption = session.resume(after: last, on: outlet) else {
                throw Refusal(.badRequest, .invalidRequest("nothing is kept from Last-Event-ID on"))
            }
            (position, missed, isOver) = (last, resumption.missed, resumption.isOver)
        } else {
            try requireOpen()
            guard let opened = session.openStandalone(outlet) else {
                throw Refusal(.conflict, .invalidRequest("this session has such a stream already"))
            }
            (position, missed) = opened
        }
        var events = missed.map(EventStream.bytes)
        if session.opensStreams { events.insert(EventStream.opening(position), at: 0) }
        return try await EventStream(outlet: outlet, context: context, first: events, isOver: isOver) {
            session.disconnect(outlet, from: position.stream)
        }.response(holding: use)
    }

    /// The session a request belongs to.
    private func use(of request: Request, _ caller: Caller, id: RPC.ID? = nil) throws -> Sessions.Use {
        try checkVersion(of: request, id: id)
        guard let session = request.headers[.sessionID] else {
            throw Refusal(.badRequest, .invalidRequest("the header Mcp-Session-Id is missing"), id: id)
        }
        guard let use = sessions.use(session, by: caller.principal), use.session.scope == caller.scope else {
            throw Refusal.unknownSession(id)
        }
        return use
    }

    /// Where the header is missing, the handshake counts.
    private func checkVersion(of request: Request, id: RPC.ID?) throws {
        guard let version = request.headers[.protocolVersion], ProtocolVersion(rawValue: version) == nil else { return }
        throw unsupportedVersion(id: id)
    }

    /// A client of the newer, stateless revisions asks under its own first, and falls back when that is refused.
    private func unsupportedVersion(id: RPC.ID?) -> Refusal {
        let known = ProtocolVersion.allCases.map(\.rawValue).joined(separator: ", ")
        return Refusal(.badRequest, .invalidRequest("unsupported MCP-Protocol-Version; supported: \(known)"), id: id)
    }
}

extension HTTPSession {
    /// Whether a stream begins with an event without a message: older clients would take it for a broken one.
    fileprivate var opensStreams: Bool { version == .v20251125 }

    /// What a message of the client means for the streams, beside what it means for the server.
    func heed(_ message: RPC.Message) {
        guard case .notification(let note) = message, note.method == "notifications/cancelled",
            let id = note.params?["requestId"].flatMap(RPC.ID.init)
        else { return }
        cancel(id)
    }
}
