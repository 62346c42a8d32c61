internal import Core
internal import Dialects
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import NIOHTTP1

/// How a failure looks to an HTTP client.
enum ErrorBody {
    /// One line of text, as the management routes answer.
    static func text(_ failure: Failure, status: HTTPResponse.Status? = nil) -> Response {
        Response.text(failure.description + "\n", status: status ?? .init(code: failure.status))
    }

    private static let retryable: Set<Int> = [429, 503, 507]

    /// A failure in the shape that the clients of a route read; nil is for the routes of management.
    static func response(_ failure: Failure, _ api: API?, status: HTTPResponse.Status? = nil) -> Response {
        let status = status ?? .init(code: failure.status)
        var response =
            if let api { Response.json(api.error(failure, status: status.code), status: status) } else {
                text(failure, status: status)
            }
        // What is too much now need not be so in a moment.
        if retryable.contains(status.code) { response.headers[.retryAfter] = "5" }
        return response
    }

    /// Whose clients a request comes from.
    static func api(of request: Request) -> API? {
        let parts = request.uri.path.split(separator: "/")
        switch parts.first {
        case "api": return .ollama
        case "anthropic": return .anthropic
        case "v1", "responses", "rerank", "score": break
        case "engines":
            let rest = parts.dropFirst()
            let isInference =
                rest.prefix(2).contains("v1") || rest.last == "rerank" || rest.last == "score"
                || rest.first == "responses"
            guard isInference else { return nil }
        default: return nil
        }
        return parts.contains("messages") || AnthropicRoutes.isMeant(by: request) ? .anthropic : .openAI
    }
}

extension Response {
    static func text(_ text: String, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    static func json(_ json: JSON, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: json.bytes))
    }
}

/// Turns whatever a route throws into the shape its clients read.
struct ErrorShaping: RouterMiddleware {
    let table: RouteTable

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do { return try await next(request, context) } catch {
            return response(to: request, error, context)
        }
    }

    private func response(to request: Request, _ error: any Error, _ context: Context) -> Response {
        let api = ErrorBody.api(of: request)
        switch error {
        case let error as HTTPError:
            // From the router: no such route.
            let isMissing = error.status == .notFound
            let methods = isMissing ? table.methods(of: request.uri.path) : []
            guard methods.isEmpty else {
                let failure = Failure(
                    .invalidArgument,
                    "\(request.uri.path) does not take \(request.method), but "
                        + methods.joined(separator: ", "))
                var response = ErrorBody.response(failure, api, status: .methodNotAllowed)
                response.headers[.allow] = methods.joined(separator: ", ")
                return response
            }
            let unknown = api == nil ? "404 page not found" : "unknown route \(request.method) \(request.uri.path)"
            let message = isMissing ? unknown : error.body ?? error.status.reasonPhrase
            // What is missing is no model, and is not called one.
            return ErrorBody.response(Failure(.invalidArgument, message), api, status: error.status)
        case let error as NIOTooManyBytesError:
            let limit = error.maxBytes.map { ", the limit is \(ByteCount($0))" } ?? ""
            return ErrorBody.response(
                Failure(.invalidArgument, "the request is too large\(limit)"), api, status: .contentTooLarge)
        case let error as HTTPParserError:
            return ErrorBody.response(
                Failure(.invalidArgument, "the request's body cannot be read", cause: error), api)
        default:
            if error is CancellationError {
                context.logger.debug("the client went away", metadata: ["path": "\(request.uri.path)"])
            }
            let failure = error as? Failure ?? Failure.wrapping(error, "\(request.method) \(request.uri.path)")
            return ErrorBody.response(failure, api)
        }
    }
}
