internal import AsyncHTTPClient
internal import Core
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import OCI
internal import Synchronization

/// Nothing has been sent, for want of a connection.
struct Unconnected: Error, CustomStringConvertible {
    let description: String
}

/// Requests to one remote server: to checked addresses only, with its headers, by way of redirects that are checked too.
final class RemoteHTTP: Sendable {
    static let maximumRedirects = 3
    /// Bytes of an answer that is an error.
    static let maximumError = 64 << 10

    let endpoint: RemoteEndpoint
    private let remoteGuard: RemoteGuard
    private let clients: PinnedClients
    private let checked = Mutex<[String: [IPAddress]]>([:])

    init(_ endpoint: RemoteEndpoint, _ remoteGuard: RemoteGuard? = nil) {
        self.endpoint = endpoint
        self.remoteGuard = remoteGuard ?? RemoteGuard(allowsPrivate: endpoint.allowsPrivate)
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(10)
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        configuration.connectionPool.retryConnectionEstablishment = false
        // Every call that takes long has one, and must not keep the others waiting.
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 1024
        if !endpoint.authorities.isEmpty {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.additionalTrustRoots = [.certificates(endpoint.authorities)]
            configuration.tlsConfiguration = tls
        }
        clients = PinnedClients(configuration: configuration)
    }

    func shutdown() async { await clients.shutdown() }

    /// Judges the server's own address, before anything is sent there.
    func check() async throws { _ = try await addresses(of: endpoint.address) }

    /// Sends a request; the answer's body is still to be read.
    ///
    /// - Throws: `.forbidden` where it leads to an address that must not be asked; `.unavailable`, `.timedOut`.
    func execute(
        _ method: HTTPMethod, _ address: WebAddress, _ headers: HTTPHeaders, body: ByteBuffer? = nil
    ) async throws -> HTTPClientResponse {
        var address = address
        for _ in 0...Self.maximumRedirects {
            var request = HTTPClientRequest(url: address.description)
            request.method = method
            // Neither keys nor sessions are another origin's business.
            if address.isSameOrigin(as: endpoint.address) {
                request.headers = headers
                for (name, value) in endpoint.headers { request.headers.replaceOrAdd(name: name, value: value) }
            } else {
                request.headers = HTTPHeaders(headers.filter { !Self.sessionHeaders.contains($0.name.lowercased()) })
            }
            request.headers.replaceOrAdd(name: "user-agent", value: "wharf")
            if let body { request.body = .bytes(body) }
            let response: HTTPClientResponse
            do {
                response = try await clients.execute(
                    request, host: address.host, at: try await addresses(of: address), deadline: .distantFuture)
            } catch { throw Self.explained(error, address) }
            guard let next = try Self.redirect(response, method, from: address) else { return response }
            address = next
        }
        throw Failure(.unavailable, "\(endpoint.address.authority) redirects without end")
    }

    private static let sessionHeaders: Set = ["mcp-session-id", "last-event-id"]

    /// Where an answer sends us; nil where it is the answer.
    private static func redirect(
        _ response: HTTPClientResponse, _ method: HTTPMethod, from address: WebAddress
    ) throws -> WebAddress? {
        let code = response.status.code
        guard [301, 302, 303, 307, 308].contains(code) else { return nil }
        // Others than the last two would make a GET of a POST.
        guard method == .GET && code != 303 || code >= 307 else {
            throw Failure(.unavailable, "\(address.authority) redirects messages with status \(code)")
        }
        guard let location = response.headers.first(name: "location"), let next = address.resolving(location) else {
            throw Failure(.unavailable, "\(address.authority) redirects to no address")
        }
        guard next.isSecure || !address.isSecure else {
            throw Failure(.forbidden, "\(address.authority) redirects to \(next.authority) without TLS")
        }
        return next
    }

    private func addresses(of address: WebAddress) async throws -> [IPAddress] {
        // What was judged stays for the connection's life; a name that moves is judged again with the next one.
        let key = address.description.prefix { $0 != ":" } + "://" + address.authority
        if let known = checked.withLock({ $0[String(key)] }) { return known }
        let addresses = try await remoteGuard.check(address)
        checked.withLock { if $0.count < 16 { $0[String(key)] = addresses } }
        return addresses
    }

    private static func explained(_ error: any Error, _ address: WebAddress) -> any Error {
        if error is Failure || error is CancellationError { return error }
        let what = "cannot reach \(address.authority)"
        guard let error = error as? HTTPClientError else {
            // The type belongs to a library that is not linked by name.
            let isTLS = String(reflecting: type(of: error)).hasPrefix("NIOSSL.")
            if error is NIOConnectionError || error is IOError {
                return Failure(.unavailable, what, cause: Unconnected(description: Failure.text(of: error)))
            }
            return isTLS
                ? Failure(.unavailable, "\(what): no TLS connection, or one with a certificate that is not trusted")
                : Failure(.unavailable, what, cause: error)
        }
        switch error {
        case .cancelled: return CancellationError()
        case .connectTimeout:
            return Failure(.timedOut, what, cause: Unconnected(description: "no connection in time"))
        case .deadlineExceeded, .readTimeout, .writeTimeout:
            return Failure(.timedOut, "\(what) in time")
        case .remoteConnectionClosed: return Failure(.unavailable, "\(address.authority) closed the connection")
        default: return Failure(.unavailable, "\(what): \(error.shortDescription)")
        }
    }
}

extension HTTPClientResponse {
    /// Why an answer is none, in words.
    ///
    /// - Parameter text: the beginning of its body.
    func failure(of address: WebAddress, _ text: String) -> Failure {
        let code = status.code
        let said = text.prefix(200).filter { !$0.isNewline }
        let what = "\(address.authority) answered with status \(code)\(said.isEmpty ? "" : ": \(said)")"
        switch code {
        case 401:
            let wantsOAuth = headers.first(name: "www-authenticate")?.contains("resource_metadata") ?? false
            return Failure(
                .unauthorized, "\(address.authority) wants a token (status 401)",
                advice: wantsOAuth
                    ? "It offers OAuth, which is not supported yet; give it a token by a secret in its headers"
                    : "Give it one by a secret in its headers")
        case 403: return Failure(.forbidden, what)
        case 404, 405, 410: return Failure(.notFound, what)
        case 429, 500...599: return Failure(.unavailable, what)
        default: return Failure(.unsupported, what)
        }
    }

    var isEventStream: Bool { MediaRange.isType(headers.first(name: "content-type"), "text/event-stream") }
}
