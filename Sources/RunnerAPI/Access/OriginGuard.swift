internal import Core
internal import HTTPTypes
internal import Hummingbird

/// Keeps web pages away from the API: a page may neither reach it under a name of its own (DNS rebinding) nor call
/// it across origins, unless it comes from this machine or was allowed by name.
struct OriginGuard: RouterMiddleware {
    /// Addresses that only containers of this machine reach.
    let bridges: Set<String>
    /// Origins allowed beside this machine's own; `*` allows all.
    let allowedOrigins: Set<String>

    private static let localNames: Set<String> = ["localhost", "127.0.0.1", "::1"]
    /// Under which names containers reach their host.
    private static let containerNames: Set<String> = ["model-runner.docker.internal", "host.docker.internal"]

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        if context.isUnixSocket { return try await next(request, context) }
        // Whoever holds a key may come by any name: a page does not hold it.
        guard isAllowed(host: request.head.authority) || context.audience(bridges) == .keyHolders else {
            return Self.refusal(
                request, "Host not allowed", "Come by localhost, or by another address with an API key.")
        }
        let origin = request.headers[.origin]
        if let origin, !isAllowed(origin: origin) {
            return Self.refusal(request, "Origin not allowed", "Allow it with wharf serve --origin, or DMR_ORIGINS.")
        }
        var response: Response
        if request.method == .options {
            response = Response(status: .noContent)
            response.headers[.accessControlAllowCredentials] = "true"
            response.headers[.accessControlAllowMethods] = "GET, POST, DELETE"
            response.headers[.accessControlAllowHeaders] = "*"
        } else {
            response = try await next(request, context)
        }
        if let origin {
            response.headers[.accessControlAllowOrigin] = origin
            response.headers[.vary] = "Origin"
        }
        return response
    }

    private static func refusal(_ request: Request, _ message: String, _ advice: String) -> Response {
        ErrorBody.response(Failure(.forbidden, message, advice: advice), ErrorBody.api(of: request))
    }

    func isAllowed(host authority: String?) -> Bool {
        guard let authority, let host = Authority.host(of: authority) else { return false }
        return Self.localNames.contains(host) || Self.containerNames.contains(host) || bridges.contains(host)
    }

    func isAllowed(origin: String) -> Bool {
        if allowedOrigins.contains("*") || allowedOrigins.contains(origin) { return true }
        for scheme in ["http://", "https://"] where origin.lowercased().hasPrefix(scheme) {
            guard let host = Authority.host(of: String(origin.dropFirst(scheme.count))) else { return false }
            return Self.localNames.contains(host) || host == "0.0.0.0"
        }
        return false
    }
}
