internal import Core
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import MCP
internal import NIOCore

/// What answers HTTP requests. The order of the checks is the order of the code.
struct Front: HTTPResponder {
    let configuration: StreamableServer.Configuration
    let gate: Gate
    let sessions: Sessions

    func respond(to request: Request, context: HTTPContext) async throws -> Response {
        let claims = Gate.Claims(
            authority: request.head.authority, origin: request.headers[.origin],
            authorization: request.headers[.authorization], isOpenPath: request.uri.path == "/health")
        if let refusal = gate.refusal(of: claims) { return Self.response(to: refusal) }
        do {
            switch (configuration.style, request.uri.path) {
            case (_, "/health"): return Response(status: configuration.isReady() ? .ok : .serviceUnavailable)
            case (.streaming, "/mcp"): return try await mcp(request, context)
            case (.sse, "/sse"): return try await events(request, context)
            case (.sse, "/message"): return try await message(request)
            default:
                let path = configuration.style == .streaming ? "/mcp" : "/sse"
                return .text("Not found: MCP is spoken at \(path)\n", .notFound)
            }
        } catch let refusal as Refusal {
            return refusal.response
        } catch is NIOTooManyBytesError {
            let limit = ByteCount(configuration.limits.body)
            return Refusal(.contentTooLarge, .invalidRequest("the message is larger than \(limit)")).response
        } catch let failure as Failure {
            return Refusal(.serviceUnavailable, RPC.Error(code: -32000, message: failure.description)).response
        }
    }

    private static func response(to refusal: Gate.Refusal) -> Response {
        switch refusal {
        case .host:
            return .text("Forbidden: the Host header does not name this gateway\n", .forbidden)
        case .origin:
            return .text("Forbidden: Origin, if set, must be localhost, 127.0.0.1, or ::1\n", .forbidden)
        case .unauthorized:
            var response = Response.text("Unauthorized", .unauthorized)
            response.headers[.wwwAuthenticate] = "Bearer realm=\"MCP Gateway\""
            return response
        }
    }

    /// The one message a POST carries.
    func message(in request: Request) async throws -> (message: RPC.Message, bytes: ByteBuffer) {
        guard MediaRange.isType(request.headers[.contentType], "application/json") else {
            throw Refusal(.unsupportedMediaType, .invalidRequest("Content-Type must be application/json"))
        }
        let limit = configuration.limits.body
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit {
            throw NIOTooManyBytesError(maxBytes: limit)
        }
        let bytes = try await request.body.collect(upTo: limit)
        do { return (try RPC.Message(parsing: bytes), bytes) } catch {
            let id = (try? RawJSON(checking: bytes))?["id"].flatMap(RPC.ID.init)
            throw Refusal(.badRequest, error, id: id)
        }
    }

    /// The first event names the address for messages, which knows the session; all answers come as events.
    private func events(_ request: Request, _ context: HTTPContext) async throws -> Response {
        guard request.method == .get else { throw Refusal.method("GET") }
        guard MediaRange.accepts(request.headers[.accept], "text/event-stream") else {
            throw Refusal(.notAcceptable, .invalidRequest("Accept must allow text/event-stream"))
        }
        let disconnection = try await context.disconnection()
        let outlet = Outlet(limit: configuration.limits.queue)
        let use = try await sessions.open(everythingOn: outlet)
        let address = EventStream.event("endpoint", ByteBuffer(string: "/message?sessionId=\(use.session.id)"))
        return EventStream(outlet: outlet, disconnection: disconnection, first: [address]) {
            [sessions, session = use.session] in sessions.end(session)
        }.response(holding: use)
    }

    private func message(_ request: Request) async throws -> Response {
        guard request.method == .post else { throw Refusal.method("POST") }
        guard let id = request.uri.queryParameters["sessionId"] else {
            throw Refusal(.badRequest, .invalidRequest("sessionId is missing"))
        }
        guard let use = sessions.use(String(id)) else { throw Refusal.unknownSession }
        let (_, bytes) = try await message(in: request)
        await use.session.deliver(bytes)
        return .text("Accepted", .accepted)
    }
}

/// A request that does not reach a session's server.
struct Refusal: Error {
    let status: HTTPResponse.Status
    let error: RPC.Error
    let id: RPC.ID?
    let allow: String?

    init(_ status: HTTPResponse.Status, _ error: RPC.Error, id: RPC.ID? = nil, allow: String? = nil) {
        self.status = status
        self.error = error
        self.id = id
        self.allow = allow
    }

    static func method(_ allow: String) -> Refusal {
        Refusal(.methodNotAllowed, RPC.Error(code: -32000, message: "Method not allowed; use \(allow)"), allow: allow)
    }

    static var unknownSession: Refusal {
        Refusal(.notFound, RPC.Error(code: -32001, message: "Session not found; initialize a new one"))
    }

    var response: Response {
        let message = RPC.Message.response(RPC.Response(id: id, outcome: .failure(error)))
        var response = Response.message(message.bytes, status)
        if let allow { response.headers[.allow] = allow }
        return response
    }
}

extension Response {
    static func text(_ text: String, _ status: HTTPResponse.Status) -> Response {
        Response(
            status: status, headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    static func message(_ bytes: ByteBuffer, _ status: HTTPResponse.Status = .ok) -> Response {
        Response(status: status, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: bytes))
    }
}
