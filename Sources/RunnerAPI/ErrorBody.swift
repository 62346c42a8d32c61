internal import Core
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore

/// How a failure looks to an HTTP client.
enum ErrorBody {
    /// The status of each kind of failure.
    static func status(of code: Failure.Code) -> HTTPResponse.Status {
        switch code {
        case .invalidArgument: .badRequest
        case .notFound: .notFound
        case .alreadyExists, .conflict: .conflict
        case .unauthorized: .unauthorized
        case .forbidden: .forbidden
        case .unsupported: .unprocessableContent
        case .failedPrecondition: .preconditionFailed
        case .resourceExhausted, .unavailable: .serviceUnavailable
        case .timedOut: .gatewayTimeout
        case .cancelled, .corrupted, .internalError: .internalServerError
        }
    }

    /// One line of text, as the management routes answer.
    static func text(_ failure: Failure, status: HTTPResponse.Status? = nil) -> Response {
        Response.text(failure.description + "\n", status: status ?? self.status(of: failure.code))
    }

    /// The shape that OpenAI's own clients read.
    static func openAI(_ failure: Failure, status: HTTPResponse.Status? = nil) -> Response {
        let status = status ?? self.status(of: failure.code)
        return Response.json(openAIObject(failure, status: status), status: status)
    }

    static func openAIObject(_ failure: Failure, status: HTTPResponse.Status) -> JSON {
        let code: JSON =
            switch failure.code {
            case .notFound: "model_not_found"
            case .failedPrecondition: "backend_not_installed"
            default: nil
            }
        return [
            "error": [
                "message": .string(failure.description),
                "type": status.kind == .clientError ? "invalid_request_error" : "server_error",
                "param": failure.code == .notFound ? "model" : nil,
                "code": code,
            ]
        ]
    }

    /// Whether a path belongs to the routes that answer in OpenAI's shape.
    static func isOpenAI(path: String) -> Bool {
        let parts = path.split(separator: "/")
        return parts.first == "v1" || parts.first == "engines" && parts.dropFirst().prefix(2).contains("v1")
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
    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let openAI = ErrorBody.isOpenAI(path: request.uri.path)
        do { return try await next(request, context) } catch let error as HTTPError {
            // From the router: no such route.
            let isMissing = error.status == .notFound
            let message = isMissing ? "404 page not found" : error.body ?? error.status.reasonPhrase
            let failure = Failure(isMissing ? .notFound : .invalidArgument, message)
            if openAI {
                var object = ErrorBody.openAIObject(failure, status: error.status)
                if isMissing, var inner = object["error"]?.object {
                    inner["message"] = .string("unknown route \(request.method) \(request.uri.path)")
                    inner["param"] = .null
                    inner["code"] = .null
                    object = ["error": .object(inner)]
                }
                return .json(object, status: error.status)
            }
            return ErrorBody.text(failure, status: error.status)
        } catch is NIOTooManyBytesError {
            let failure = Failure(.invalidArgument, "the request is too large")
            return openAI
                ? ErrorBody.openAI(failure, status: .contentTooLarge)
                : ErrorBody.text(failure, status: .contentTooLarge)
        } catch {
            if error is CancellationError {
                context.logger.debug("the client went away", metadata: ["path": "\(request.uri.path)"])
            }
            let failure = error as? Failure ?? Failure.wrapping(error, "\(request.method) \(request.uri.path)")
            return openAI ? ErrorBody.openAI(failure) : ErrorBody.text(failure)
        }
    }
}
