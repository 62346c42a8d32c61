internal import Core
internal import HTTPTypes
internal import Hummingbird

/// Keeps web pages away from the API: a page may neither reach it under a name of its own (DNS rebinding) nor call
/// it across origins, unless it comes from this machine or was allowed by name.
struct OriginGuard: RouterMiddleware {
    /// The address that was bound, when it is not a loopback address.
    let publicHost: String?
    /// Origins allowed beside this machine's own.
    let allowedOrigins: Set<String>

    private static let localNames: Set<String> = ["localhost", "127.0.0.1", "::1"]
    /// Under which names containers reach their host.
    private static let containerNames: Set<String> = ["model-runner.docker.internal", "host.docker.internal"]

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        if context.isUnixSocket { return try await next(request, context) }
        guard isAllowed(host: request.head.authority) else {
            return .text("Host not allowed\n", status: .forbidden)
        }
        guard let origin = request.headers[.origin] else { return try await next(request, context) }
        guard isAllowed(origin: origin) else { return .text("Origin not allowed\n", status: .forbidden) }
        var response: Response
        if request.method == .options {
            response = Response(status: .noContent)
            response.headers[.accessControlAllowCredentials] = "true"
            response.headers[.accessControlAllowMethods] = "GET, POST, DELETE"
            response.headers[.accessControlAllowHeaders] = "*"
        } else {
            response = try await next(request, context)
        }
        response.headers[.accessControlAllowOrigin] = origin
        response.headers[.vary] = "Origin"
        return response
    }

    /// Where the whole network was let in, any name may lead here.
    func isAllowed(host authority: String?) -> Bool {
        if publicHost != nil { return true }
        guard let authority, let host = Self.host(ofAuthority: authority) else { return false }
        return Self.localNames.contains(host) || Self.containerNames.contains(host)
    }

    func isAllowed(origin: String) -> Bool {
        if allowedOrigins.contains("*") || allowedOrigins.contains(origin) { return true }
        for scheme in ["http://", "https://"] where origin.lowercased().hasPrefix(scheme) {
            guard let host = Self.host(ofAuthority: String(origin.dropFirst(scheme.count))) else { return false }
            return Self.localNames.contains(host) || host == "0.0.0.0"
        }
        return false
    }

    /// The host of `host[:port]` or `[address][:port]`, lower case; nil when it is neither.
    static func host(ofAuthority authority: String) -> String? {
        let text = authority.lowercased()
        let host: Substring
        var rest: Substring
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<end]
            rest = text[text.index(after: end)...]
        } else {
            host = text.prefix { $0 != ":" }
            rest = text[host.endIndex...]
        }
        if rest.first == ":" {
            rest = rest.dropFirst()
            guard let port = UInt16(rest), port > 0 else { return nil }
        } else if !rest.isEmpty {
            return nil
        }
        return host.isEmpty ? nil : String(host)
    }
}
