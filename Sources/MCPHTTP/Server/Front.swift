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
    let modernSessions: ModernSessions
    let limiter = RateLimiter()

    /// Paths that everybody may ask for, and what they say.
    private enum State: String {
        /// Whether the process serves.
        case health = "/health"
        /// Whether it is worth sending clients here.
        case ready = "/ready"
    }

    /// Who sent a request, and to where.
    struct Caller: Sendable {
        let principal: Principal
        let scope: Scope
    }

    func respond(to request: Request, context: HTTPContext) async throws -> Response {
        let state = State(rawValue: request.uri.path)
        let claims = Gate.Claims(
            authority: request.head.authority, origin: request.headers[.origin],
            authorization: request.headers[.authorization], isOpenPath: state != nil)
        do {
            let principal: Principal
            do { principal = try gate.admit(claims) } catch { return Self.response(to: error) }
            switch state {
            case .health: return Response(status: .ok)
            case .ready:
                return Response(
                    status: configuration.isReady() && !sessions.isDraining ? .ok : .serviceUnavailable)
            case nil: break
            }
            guard let route = Route(path: request.uri.path), isOpen(route.scope, to: principal) else {
                return .text(
                    "Not found: MCP is spoken at /mcp, /sse, /servers/NAME/mcp and /servers/NAME/sse\n", .notFound)
            }
            let caller = Caller(principal: principal, scope: route.scope)
            switch route.endpoint {
            case .mcp: return try await mcp(request, caller, context)
            case .sse: return try await events(request, caller, context)
            case .message: return try await message(request, caller)
            }
        } catch let refusal as Refusal {
            return refusal.response
        } catch is NIOTooManyBytesError {
            let limit = ByteCount(configuration.limits.body)
            return Refusal(.contentTooLarge, .invalidRequest("the message is larger than \(limit)")).response
        } catch let failure as Failure {
            return Refusal.later(.serviceUnavailable, failure.description, after: .seconds(5)).response
        }
    }

    /// Whether there is a server of that name for somebody; nobody learns of others' servers.
    private func isOpen(_ scope: Scope, to principal: Principal) -> Bool {
        guard case .server(let name) = scope else { return true }
        return principal.may(use: name) && configuration.servers().contains(name)
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

    /// What a POST carries.
    func payload(of request: Request, from principal: Principal) async throws -> Payload {
        try charge(principal)
        guard MediaRange.isType(request.headers[.contentType], "application/json") else {
            throw Refusal(.unsupportedMediaType, .invalidRequest("Content-Type must be application/json"))
        }
        let limit = configuration.limits.body
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit {
            throw NIOTooManyBytesError(maxBytes: limit)
        }
        let payload = try await Self.payload(try await request.body.collect(upTo: limit))
        // The first of them has been paid for.
        if payload.count > 1 { try charge(principal, payload.count - 1) }
        if !payload.requests.isEmpty { try requireOpen(id: payload.id) }
        return payload
    }

    /// A large message takes its time, which others on the same thread must not wait for.
    private static func payload(_ bytes: ByteBuffer) async throws -> Payload {
        guard bytes.readableBytes > 256 << 10 else { return try Payload(parsing: bytes) }
        return try await withTaskExecutorPreference(globalConcurrentExecutor) { try Payload(parsing: bytes) }
    }

    private func charge(_ principal: Principal, _ count: Int = 1) throws(Refusal) {
        guard let pause = limiter.take(count, for: principal) else { return }
        throw .later(.tooManyRequests, "too many messages; try again in a while", after: pause)
    }

    /// Nothing new begins when the gateway ends; answers to what it has asked are still taken.
    func requireOpen(id: RPC.ID? = nil) throws(Refusal) {
        guard sessions.isDraining else { return }
        throw .later(.serviceUnavailable, "the gateway is shutting down", after: .seconds(1), id: id)
    }
}
