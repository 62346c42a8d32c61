internal import AsyncHTTPClient
internal import Core
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import SystemPackage

extension Registry {
    private static let maximumErrorBody = 64 << 10

    /// Passes 2xx; turns anything else into a failure of the matching kind.
    func check(_ response: HTTPClientResponse, at endpoint: Endpoint, what: String) async throws {
        guard !(200..<300).contains(response.status.code) else { return }
        let body = (try? await read(response, Self.maximumErrorBody, at: endpoint)) ?? ByteBuffer()
        let failure = Self.failure(
            status: Int(response.status.code), contentType: response.headers.first(name: "Content-Type"), body: body,
            registry: endpoint.name, what: what)
        let pause = response.headers.first(name: "Retry-After").flatMap { RetryPolicy.pause($0, now: .now) }
        guard [.resourceExhausted, .unavailable].contains(failure.code), let pause, pause > .zero else { throw failure }
        throw Failure(
            failure.code, failure.message,
            advice: "It asks to be left alone for \(min(pause.components.seconds, 86400)) s")
    }

    /// Whether an answer is for people: what a proxy, a portal or any other web server says.
    static func isPage(_ response: HTTPClientResponse) -> Bool {
        isPage(response.headers.first(name: "Content-Type"))
    }

    static func isPage(_ contentType: String?) -> Bool { contentType?.lowercased().hasPrefix("text/html") ?? false }

    /// What an unsuccessful answer means.
    static func failure(
        status: Int, contentType: String?, body: ByteBuffer, registry: String, what: String
    ) -> Failure {
        let error = (try? JSON(parsing: body))?["errors"]?.array?.first
        let code = error?["code"]?.string ?? ""
        let said = error?["message"]?.string.map { ": \($0.prefix(200).filter { !$0.isNewline })" } ?? ""
        let isPage = Self.isPage(contentType)
        switch (status, code) {
        case (404, _), (_, "MANIFEST_UNKNOWN"), (_, "NAME_UNKNOWN"):
            return Failure(
                .notFound, "\(what) not found at \(registry)\(said)",
                advice: isPage ? "It answered with an HTML page; is this address a registry?" : nil)
        case (401, _):
            return Failure(
                .unauthorized, "\(registry) answered Unauthorized\(said)",
                advice: "Check the name; a private repository needs \(Credentials.login(registry))")
        case (403, _): return Failure(.forbidden, "\(registry) denied it\(said)")
        case (429, _): return Failure(.resourceExhausted, "\(registry) refuses more requests for now\(said)")
        case (500..., _): return Failure(.unavailable, "\(registry) has a problem of its own (\(status))\(said)")
        default:
            let type = isPage ? " with an HTML page; is this address a registry?" : said
            return Failure(.internalError, "\(registry) answered \(status)\(type)")
        }
    }

    /// A whole small body.
    ///
    /// - Throws: `.corrupted` when it is larger than `limit` bytes.
    func collect(_ response: HTTPClientResponse, limit: Int, at endpoint: Endpoint) async throws -> ByteBuffer {
        do { return try await read(response, limit, at: endpoint) } catch is NIOTooManyBytesError {
            throw Failure(.corrupted, "\(endpoint.name) sent more than \(ByteCount(limit))")
        } catch {
            throw Self.unreachable(error, "the answer of \(endpoint.name) broke off")
        }
    }

    /// Reads a short rest, so that its connection can be used again.
    func discard(_ response: HTTPClientResponse, at endpoint: Endpoint) async {
        _ = try? await read(response, Self.maximumErrorBody, at: endpoint)
    }

    /// Bounded in time too: a peer that sends a byte now and then is never silent for long enough to be given up.
    private func read(_ response: HTTPClientResponse, _ limit: Int, at endpoint: Endpoint) async throws -> ByteBuffer {
        let seconds = smallAnswerLimit.components.seconds
        return try await withDeadline(smallAnswerLimit, "\(endpoint.name) has not ended its answer in \(seconds) s") {
            try await response.body.collect(upTo: limit)
        }
    }

    /// A transport's error as a failure with a readable reason.
    static func unreachable(_ error: any Error, _ message: String) -> any Error {
        if error is Failure || error is CancellationError { return error }
        if error as? HTTPClientError == .cancelled { return CancellationError() }
        let (reason, advice) = reason(error)
        return Failure(isLate(error) ? .timedOut : .unavailable, "\(message): \(reason)", advice: advice)
    }

    /// Whether the peer closed the connection before it answered.
    static func wasClosed(_ error: any Error) -> Bool {
        error as? HTTPClientError == .remoteConnectionClosed || error as? ChannelError == .ioOnClosedChannel
            || (error as? IOError).map { [.connectionReset, .brokenPipe].contains(Errno(rawValue: $0.errnoCode)) }
                ?? false
    }

    /// Whether the same again may well go better.
    static func isTransient(_ error: any Error) -> Bool {
        if wasClosed(error) || isLate(error) { return true }
        return switch error {
        case let error as IOError:
            ![.connectionRefused, .noRouteToHost, .networkUnreachable].contains(Errno(rawValue: error.errnoCode))
        case let error as NIOConnectionError: error.connectionErrors.first.map { isTransient($0.error) } ?? false
        case let error as ChannelError: if case .connectTimeout = error { true } else { false }
        default: false
        }
    }

    /// Whether there is nobody at the address, or no such address.
    static func isAbsence(_ error: any Error) -> Bool {
        guard let error = error as? NIOConnectionError else { return error is IOError && !isTransient(error) }
        return error.connectionErrors.first.map { isAbsence($0.error) } ?? true
    }

    static func isLate(_ error: any Error) -> Bool {
        guard let error = error as? HTTPClientError else { return false }
        return error == .connectTimeout || error == .readTimeout || error == .writeTimeout || error == .deadlineExceeded
            || error == .tlsHandshakeTimeout || error == .httpProxyHandshakeTimeout
    }

    private static func reason(_ error: any Error) -> (String, advice: String?) {
        switch error {
        case HTTPParserError.headerOverflow: return ("its answer has headers that are too large", nil)
        case is HTTPParserError: return ("its answer is not HTTP", "Is this address a registry?")
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: return tlsReason(String(describing: error))
        case let error as HTTPClientError:
            if error == .remoteConnectionClosed { return ("the connection was closed", nil) }
            if error == .proxyAuthenticationRequired {
                return ("the proxy wants a user name and password", "Put them into HTTP_PROXY and HTTPS_PROXY")
            }
            if error == .readTimeout { return ("nothing has come for \(silence.nanoseconds / 1_000_000_000) s", nil) }
            if error == .writeTimeout {
                return ("it has taken nothing for \(silence.nanoseconds / 1_000_000_000) s", nil)
            }
            return (isLate(error) ? "no answer in time" : error.shortDescription, nil)
        default: return (String(Failure.text(of: error).prefix(300)), nil)
        }
    }

    private static func tlsReason(_ text: String) -> (String, advice: String?) {
        if text.contains("CERTIFICATE_VERIFY_FAILED") || text.contains("unableToValidateCertificate") {
            return (
                "its certificate is not from an authority that this machine trusts",
                "Put the authority's certificate into ~/.docker/certs.d/HOST:PORT/ca.crt or name it in WHARF_REGISTRY_CA"
            )
        }
        if text.contains("failedToValidateHostname") { return ("its certificate is for another host", nil) }
        if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
            return ("it does not speak TLS", "INSECURE_REGISTRY=true allows plain HTTP")
        }
        return ("TLS failed, \(text.prefix(300))", nil)
    }
}
