package import AsyncHTTPClient
internal import Core
internal import NIOCore
internal import NIOHTTP1
internal import SystemPackage

/// The Docker Engine's HTTP API.
package struct Engine: Sendable {
    /// What this code was written for, and the oldest that has all it needs (Docker 20.10).
    package static let newestVersion = APIVersion(major: 1, minor: 47)
    package static let oldestVersion = APIVersion(major: 1, minor: 41)
    /// Answers that are no streams are not read further than this.
    static let maximumAnswer = 16 << 20
    /// What an engine says about an error is a line.
    static let maximumRefusal = 64 << 10

    let client: HTTPClient
    package let endpoint: EngineEndpoint
    package let version: APIVersion

    /// - Parameter client: closed by its owner.
    package init(client: HTTPClient, endpoint: EngineEndpoint, version: APIVersion = Engine.oldestVersion) {
        self.client = client
        self.endpoint = endpoint
        self.version = version
    }

    /// Reaches the engine and agrees on a version of its API.
    ///
    /// - Throws: `.unavailable` when none answers, `.forbidden` when the socket may not be used, `.unsupported` when it
    ///   is too old.
    package static func connect(client: HTTPClient, endpoint: EngineEndpoint) async throws -> Engine {
        let probe = Engine(client: client, endpoint: endpoint)
        let response = try await probe.exchange(.GET, "/_ping", versioned: false, timeout: .seconds(10))
        guard let text = response.headers.first(name: "api-version"), let offered = APIVersion(text) else {
            let said = response.status == .ok ? "it names no API version" : "it says \(response.status)"
            throw Failure(
                .unsupported, "what answers at \(endpoint) is no Docker Engine (\(said))",
                advice: "Check DOCKER_HOST and the docker context.")
        }
        try await check(response)
        guard offered >= oldestVersion else {
            throw Failure(
                .unsupported, "the Docker Engine at \(endpoint) speaks API \(offered); \(oldestVersion) is needed",
                advice: "Docker 20.10 and later have it.")
        }
        return Engine(client: client, endpoint: endpoint, version: min(offered, newestVersion))
    }

    /// Sends a request; a status that is no success is thrown as what docker says of it.
    func send(
        _ method: HTTPMethod, _ path: String, body: HTTPClientRequest.Body? = nil,
        contentType: String = "application/json", timeout: TimeAmount = .minutes(2)
    ) async throws -> HTTPClientResponse {
        let response = try await exchange(method, path, body: body, contentType: contentType, timeout: timeout)
        try await Self.check(response)
        return response
    }

    /// Sends a request, whatever the answer's status.
    private func exchange(
        _ method: HTTPMethod, _ path: String, versioned: Bool = true, body: HTTPClientRequest.Body? = nil,
        contentType: String = "application/json", timeout: TimeAmount
    ) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: base + (versioned ? "/v\(version)" : "") + path)
        request.method = method
        // Go's server refuses requests without it, and the client sends none over a socket.
        request.headers.add(name: "host", value: "docker")
        if let body {
            request.body = body
            request.headers.add(name: "content-type", value: contentType)
        }
        do {
            return try await client.execute(request, timeout: timeout)
        } catch let error as CancellationError {
            throw error
        } catch let error as HTTPClientError where error == .deadlineExceeded && versioned {
            throw Failure(.timedOut, "the Docker Engine at \(endpoint) did not answer \(path) in time", cause: error)
        } catch {
            throw Self.unreachable(endpoint, error)
        }
    }

    private static func check(_ response: HTTPClientResponse) async throws {
        // 304: it is as it should be already. Other redirects would only lead away from what was asked for.
        guard (200..<300).contains(response.status.code) || response.status == .notModified else {
            let bytes = (try? await response.body.collect(upTo: maximumRefusal)) ?? ByteBuffer()
            throw failure(status: response.status, body: bytes)
        }
    }

    @discardableResult
    func json(_ method: HTTPMethod, _ path: String, body: JSON? = nil, timeout: TimeAmount = .minutes(2)) async throws
        -> JSON
    {
        let response = try await send(method, path, body: body.map { .bytes($0.bytes) }, timeout: timeout)
        let bytes: ByteBuffer
        do { bytes = try await response.body.collect(upTo: Self.maximumAnswer) } catch let error as CancellationError {
            throw error
        } catch {
            let path = path.prefix { $0 != "?" }
            throw Failure(.unavailable, "the Docker Engine's answer to \(path) cannot be read", cause: error)
        }
        guard bytes.readableBytes > 0 else { return .null }
        do { return try JSON(parsing: bytes) } catch {
            throw Failure(.corrupted, "the Docker Engine's answer to \(path) is not JSON", cause: error)
        }
    }

    private var base: String {
        switch endpoint {
        case .unix(let path): "http+unix://" + Self.escaped(path.string)
        case .tcp(let host, let port): "http://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        }
    }

    static func unreachable(_ endpoint: EngineEndpoint, _ cause: any Error) -> Failure {
        if case .unix(let path) = endpoint, let status = try? POSIX.status(path), !status.isSocket {
            return Failure(
                .invalidArgument, "the Docker host \(endpoint) is no socket",
                advice: "Check DOCKER_HOST and the docker context.")
        }
        let text = String(describing: cause)
        if text.contains("Permission denied") || text.contains("errno: 13") {
            return Failure(
                .forbidden, "the Docker Engine's socket \(endpoint) may not be used by this user",
                advice: "Add the user to the docker group and log in again.")
        }
        return Failure(
            .unavailable, "no Docker Engine answers at \(endpoint)", cause: cause,
            advice: "Start Docker, or set DOCKER_HOST.")
    }

    /// Docker's own words for what went wrong.
    static func failure(status: HTTPResponseStatus, body: ByteBuffer) -> Failure {
        let message = line((try? JSON(parsing: body)["message"]?.string) ?? String(buffer: body))
        let code: Failure.Code =
            switch status.code {
            case 400: .invalidArgument
            case 401: .unauthorized
            case 403: .forbidden
            case 404: .notFound
            case 409: .conflict
            case 503: .unavailable
            default: .internalError
            }
        return Failure(code, message.isEmpty ? "the Docker Engine answered \(status)" : "Docker: \(message)")
    }

    /// Somebody else's text as one line of bounded length that cannot drive a terminal.
    static func line(_ text: String) -> String {
        let scalars = text.unicodeScalars.prefix(1000).map { $0.properties.generalCategory == .control ? " " : $0 }
        return String(String.UnicodeScalarView(scalars)).split(separator: " ").joined(separator: " ")
    }

    /// A text for use in a path or a query.
    static func escaped(_ text: String) -> String {
        text.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                String(UnicodeScalar(byte))
            default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }.joined()
    }
}

/// A version of the Engine API, `1.41`.
package struct APIVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let major: Int
    package let minor: Int

    package init(major: Int, minor: Int) {
        self.major = major
        self.minor = minor
    }

    package init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let major = parts[0], let minor = parts[1], major >= 0, minor >= 0 else { return nil }
        self.init(major: major, minor: minor)
    }

    package var description: String { "\(major).\(minor)" }

    package static func < (a: APIVersion, b: APIVersion) -> Bool { (a.major, a.minor) < (b.major, b.minor) }
}
