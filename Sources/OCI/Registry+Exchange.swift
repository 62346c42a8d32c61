internal import AsyncHTTPClient
internal import Core
internal import NIOCore
internal import NIOHTTP1

/// One request, described so that it can be sent again with a token or elsewhere.
struct Exchange: Sendable {
    var method: HTTPMethod
    var address: WebAddress
    var headers: [String: String]
    /// Made anew for every attempt, because a stream can be read once only.
    var body: (@Sendable () -> HTTPClientRequest.Body)?
    /// Time to the head of the answer; nil waits as long as bytes flow.
    var timeout: TimeAmount?

    init(
        _ method: HTTPMethod, _ address: WebAddress, headers: [String: String] = [:],
        body: (@Sendable () -> HTTPClientRequest.Body)? = nil, timeout: TimeAmount? = .seconds(60)
    ) {
        self.method = method
        self.address = address
        self.headers = headers
        self.body = body
        self.timeout = timeout
    }
}

extension Registry {
    private static let maximumRedirects = 10

    /// Sends a request; answers a demand for a token once, follows redirects of reads.
    ///
    /// Any status but those is the caller's to judge.
    func exchange(_ exchange: Exchange, at endpoint: Endpoint, for access: Access) async throws -> HTTPClientResponse {
        let key = Tokens.key(endpoint, access)
        let known = tokens.token(for: key)
        let response = try await follow(exchange, at: endpoint, token: known)
        guard response.status == .unauthorized else { return response }
        if known != nil { tokens.forget(key) }
        guard let challenge = response.headers["WWW-Authenticate"].lazy.compactMap({ BearerChallenge($0) }).first
        else { return response }
        await discard(response, at: endpoint)
        return try await follow(
            exchange, at: endpoint, token: try await token(for: challenge, at: endpoint, access: access))
    }

    private func follow(
        _ first: Exchange, at endpoint: Endpoint, token: String?
    ) async throws -> HTTPClientResponse {
        var exchange = first
        for _ in 0...Self.maximumRedirects {
            // A token belongs to the registry; storage elsewhere must not see it.
            let mine = exchange.address.isSameOrigin(as: endpoint.base)
            let response = try await send(exchange, token: mine ? token : nil)
            let isRead = exchange.method == .GET || exchange.method == .HEAD
            guard isRead, [301, 302, 303, 307, 308].contains(response.status.code) else { return response }
            await discard(response, at: endpoint)
            guard let next = response.headers.first(name: "Location").flatMap({ exchange.address.resolving($0) }) else {
                throw Failure(.corrupted, "\(exchange.address.authority) redirects to no valid address")
            }
            guard next.isSecure || !endpoint.base.isSecure else {
                throw Failure(.forbidden, "\(exchange.address.authority) redirects from https to plain http")
            }
            exchange.address = next
        }
        throw Failure(.unavailable, "\(endpoint.name) redirects more than \(Self.maximumRedirects) times")
    }

    func send(_ exchange: Exchange, token: String?) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: exchange.address.description)
        request.method = exchange.method
        request.headers.add(name: "User-Agent", value: userAgent)
        for (name, value) in exchange.headers { request.headers.add(name: name, value: value) }
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        request.body = exchange.body?()
        do {
            let deadline = exchange.timeout.map { NIODeadline.now() + $0 } ?? .distantFuture
            do { return try await client.execute(request, deadline: deadline) } catch  where Self.wasClosed(error) {
                // An idle connection may be closed in the moment it is taken for this; what only reads can be repeated.
                guard exchange.method == .GET || exchange.method == .HEAD else { throw error }
                return try await client.execute(request, deadline: deadline)
            }
        } catch {
            throw Self.unreachable(error, "cannot reach the registry at \(exchange.address.authority)")
        }
    }

    /// Asks the realm of a challenge for an anonymous token.
    ///
    /// The place where stored credentials will be sent along.
    private func token(for challenge: BearerChallenge, at endpoint: Endpoint, access: Access) async throws -> String {
        guard let realm = WebAddress(challenge.realm) else {
            throw Failure(.forbidden, "\(endpoint.name) sends clients for tokens to an address that is none")
        }
        let isLocal = !endpoint.base.isSecure && Endpoint.isLoopback(endpoint.base.host)
        guard realm.isSecure || isLocal && realm.host == endpoint.base.host else {
            throw Failure(.forbidden, "\(endpoint.name) sends clients for tokens to \(realm.authority) over plain http")
        }
        var address = realm
        if let service = challenge.service { address = address.adding("service", service) }
        // Our own scope, not the challenge's: a registry must not make us ask for more than we need.
        address = address.adding("scope", "repository:\(endpoint.repository):\(access.actions)")
        let response = try await send(Exchange(.GET, address, timeout: .seconds(30)), token: nil)
        try await check(response, at: endpoint, what: "a token from \(realm.authority)")
        let json = try? JSON(parsing: try await collect(response, limit: 256 << 10, at: endpoint))
        guard let token = json?["token"]?.string ?? json?["access_token"]?.string, !token.isEmpty,
            token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { throw Failure(.unauthorized, "Unauthorized: \(realm.authority) gave no usable token") }
        tokens.store(token, for: Tokens.key(endpoint, access), lifetime: json?["expires_in"]?.int ?? 60)
        return token
    }
}
