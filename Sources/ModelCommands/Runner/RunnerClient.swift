internal import AsyncHTTPClient
internal import Commands
internal import Core
internal import DockerEngine
internal import NIOCore
internal import NIOHTTP1
internal import SystemPackage

/// The commands' side of the runner's HTTP API.
struct RunnerClient: Sendable {
    let http: HTTPClient
    let endpoint: RunnerEndpoint

    /// Answers that are no streams are not read further than this.
    static let maximumAnswer = 64 << 20

    /// Finds the runner, starting our daemon where none answers, and runs `body` with it.
    static func with<R: Sendable>(_ body: @Sendable (RunnerClient) async throws -> R) async throws -> R {
        let context = CommandContext.current
        return try await withHTTPClient { http in
            if let found = try await RunnerEndpoint.find(context.paths, http) {
                return try await body(RunnerClient(http: http, endpoint: found))
            }
            return try await body(RunnerClient(http: http, endpoint: DaemonStart(context: context, http: http).start()))
        }
    }

    /// Runs `body` with the runner that is there; none is started only to say that nothing runs.
    ///
    /// - Returns: nil when none answers.
    static func ifRunning<R: Sendable>(_ body: @Sendable (RunnerClient) async throws -> R) async throws -> R? {
        let paths = CommandContext.current.paths
        return try await withHTTPClient { http in
            guard let endpoint = try await RunnerEndpoint.find(paths, http) else { return nil }
            return try await body(RunnerClient(http: http, endpoint: endpoint))
        }
    }

    /// Sends a request and returns the answer's head; the body is still to be read.
    ///
    /// - Throws: `.unavailable` when nobody answers; the answer's own error for any status from 400 on.
    func send(
        _ method: HTTPMethod, _ path: String, body: ByteBuffer? = nil, headers: [(String, String)] = [],
        timeout: TimeAmount = .hours(24)
    ) async throws -> HTTPClientResponse {
        var request = request(method, path, headers)
        if let body {
            request.body = .bytes(body)
            request.headers.replaceOrAdd(name: "content-type", value: "application/json")
        }
        return try await execute(request, timeout: timeout)
    }

    /// The same with a body that is read while it is sent. What reading it throws is thrown as it is.
    func send(
        _ method: HTTPMethod, _ path: String, streaming body: DescriptorChunks, headers: [(String, String)]
    ) async throws -> HTTPClientResponse {
        var request = request(method, path, headers)
        request.body = .stream(body, length: .unknown)
        return try await execute(request, timeout: .hours(24))
    }

    private func request(_ method: HTTPMethod, _ path: String, _ headers: [(String, String)]) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: endpoint.base + path)
        request.method = method
        request.headers.add(name: "host", value: hostHeader)
        request.headers.add(name: "user-agent", value: "docker-model-cli/\(WharfVersion.current)")
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        return request
    }

    private func execute(_ request: HTTPClientRequest, timeout: TimeAmount) async throws -> HTTPClientResponse {
        let response: HTTPClientResponse
        do {
            response = try await http.execute(request, timeout: timeout)
        } catch let error as CancellationError {
            throw error
        } catch let failure as Failure {
            throw failure
        } catch  where Self.isClosed(error) {
            throw Failure(
                .unavailable, Self.closed, advice: "It has ended or was ended; the next command starts it again.")
        } catch {
            throw Failure(
                .unavailable,
                endpoint.kind == .named ? "no model runner answers" : "Docker Model Runner is not running",
                cause: HTTPClientError.readable(error),
                advice: endpoint.kind == .named ? "Check MODEL_RUNNER_HOST." : "Start it with `wharf serve`.")
        }
        if response.status.code >= 400 { throw try await failure(of: response) }
        return response
    }

    /// The message for a runner that took a request and went away.
    static let closed = "the model runner closed the connection before it answered"

    private static func isClosed(_ error: any Error) -> Bool {
        error as? HTTPClientError == .remoteConnectionClosed
            || (error as? IOError).map { Errno(rawValue: $0.errnoCode) == .connectionReset } ?? false
    }

    /// Reads an answer piece by piece as it comes.
    ///
    /// - Throws: `.unavailable` when the connection breaks off; what `take` throws.
    static func read(_ response: HTTPClientResponse, _ take: (ByteBuffer) throws -> Void) async throws {
        var chunks = response.body.makeAsyncIterator()
        while true {
            let chunk: ByteBuffer?
            do { chunk = try await chunks.next() } catch let error as CancellationError { throw error } catch {
                throw Failure(
                    .unavailable, "the connection to the model runner broke off",
                    cause: HTTPClientError.readable(error),
                    advice: "It has ended or was ended; the next command starts it again.")
            }
            guard let chunk else { return }
            try take(chunk)
        }
    }

    func json(_ method: HTTPMethod, _ path: String, body: JSON? = nil) async throws -> JSON {
        let response = try await send(method, path, body: body?.bytes)
        let bytes = try await response.body.collect(upTo: Self.maximumAnswer)
        return bytes.readableBytes == 0 ? .null : try JSON(parsing: bytes)
    }

    private var hostHeader: String {
        for scheme in ["http://", "https://"] where endpoint.base.hasPrefix(scheme) {
            return String(endpoint.base.dropFirst(scheme.count).prefix { $0 != "/" })
        }
        return "localhost"
    }

    /// The error an answer tells: OpenAI's shape, or the text of the management API.
    private func failure(of response: HTTPClientResponse) async throws -> Failure {
        let bytes = (try? await response.body.collect(upTo: 1 << 20)) ?? ByteBuffer()
        let text = String(buffer: bytes)
        let json = try? JSON(parsing: bytes)
        let message =
            json?["error"]?["message"]?.string ?? json?["error"]?.string ?? json?["message"]?.string
            ?? (text.isEmpty ? "the runner answered \(response.status)" : String(text.prefix(4096)))
        let code: Failure.Code =
            switch response.status.code {
            case 400: .invalidArgument
            case 401: .unauthorized
            case 403: .forbidden
            case 404: .notFound
            case 409: .conflict
            case 412: .failedPrecondition
            case 413, 507: .resourceExhausted
            case 422: .unsupported
            case 503: .unavailable
            default: .internalError
            }
        return Failure(code, String(message.trimmingPrefix(while: \.isWhitespace)).trimmedEnd)
    }
}

extension String {
    var trimmedEnd: String {
        var text = self[...]
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }

    /// For a path segment that may hold slashes and colons of its own.
    var pathEncoded: String {
        split(separator: "/", omittingEmptySubsequences: false).map { RunnerEndpoint.percentEncoded(String($0)) }
            .joined(separator: "/")
    }
}
