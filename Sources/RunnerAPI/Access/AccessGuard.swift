internal import Core
internal import HTTPTypes
internal import Hummingbird

/// Lets containers and the network ask models and do nothing else, and the network only with a key.
struct AccessGuard: RouterMiddleware {
    /// Addresses that only containers of this machine reach.
    let bridges: Set<String>
    let keys: KeyRing

    private static let apiKey = HTTPField.Name("x-api-key")

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let audience = context.audience(bridges)
        if audience == .everything { return try await next(request, context) }
        var context = context
        if audience == .keyHolders {
            do { context.key = try keys.admit(Self.presented(request)) } catch let limit as KeyRing.RateLimited {
                let failure = Failure(
                    .resourceExhausted, "the key \"\(limit.key)\" has asked too often, try again in \(limit.seconds) s")
                var response = ErrorBody.response(failure, ErrorBody.api(of: request), status: .tooManyRequests)
                response.headers[.retryAfter] = String(limit.seconds)
                return response
            }
        }
        guard Audience.isInference(request.method.rawValue, request.uri.path) else {
            throw Failure(
                .forbidden, "only models can be asked here, \(request.method) \(request.uri.path) cannot",
                advice: "Manage models on the machine itself: with docker model, on its socket or on localhost.")
        }
        return try await next(request, context)
    }

    private static func presented(_ request: Request) -> String? {
        if let field = apiKey.flatMap({ request.headers[$0] }) { return field }
        guard let field = request.headers[.authorization], field.lowercased().hasPrefix("bearer ") else { return nil }
        return field.dropFirst(7).trimmingPrefix { $0 == " " }.description
    }
}
