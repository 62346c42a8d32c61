internal import HTTPTypes
internal import Hummingbird

/// Keeps event loops free: what may read files, hash or wait for a lock runs on the system's threads instead.
///
/// Only requests to engines stay, which are a look into tables and then bytes to pass on, and of those only small ones.
struct OffLoop: RouterMiddleware {
    /// A larger body takes its time to be read as JSON.
    private static let quickBody = 256 << 10
    /// The last parts of the paths that lead to engines.
    private static let quickPaths: Set<Substring> = [
        "completions", "embeddings", "rerank", "score", "messages", "count_tokens", "responses", "chat", "generate",
        "embed",
    ]

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        if Self.isQuick(request) { return try await next(request, context) }
        var response = try await withTaskExecutorPreference(globalConcurrentExecutor) {
            try await next(request, context)
        }
        let body = response.body
        response.body = ResponseBody(contentLength: body.contentLength) { writer in
            let destination = writer
            try await withTaskExecutorPreference(globalConcurrentExecutor) { try await body.write(destination) }
        }
        return response
    }

    static func isQuick(_ request: Request) -> Bool {
        guard request.method == .post, let length = request.headers[.contentLength].flatMap({ Int($0) }),
            length <= quickBody
        else { return false }
        let path = request.uri.path
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return false }
        return quickPaths.contains(path[path.index(after: slash)...])
    }
}
