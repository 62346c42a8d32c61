internal import AsyncHTTPClient
internal import Core
internal import NIOCore
internal import NIOHTTP1

/// How a registry is told who asks.
struct Login: Sendable {
    let header: String
    /// Whether it was made of stored credentials, or is what everybody gets.
    let isAnonymous: Bool
    /// Why stored credentials could not be looked up.
    let problem: Failure?
}

extension Registry {
    private static let maximumToken = 64 << 10
    /// Seconds for which a user name and password are sent without looking again where they come from.
    private static let passwordLifetime = 300

    /// Answers the challenges of a registry; nil where there is nothing to answer with.
    ///
    /// The credentials are read anew every time, so that those of a `docker login` count at once.
    ///
    /// - Throws: `.unauthorized` when they are refused; `.forbidden` when the registry sends us somewhere it should not.
    func login(to endpoint: Endpoint, for access: Access, challenges: [Challenge]) async throws -> Login? {
        let bearer = challenges.lazy.compactMap { BearerChallenge($0) }.first
        let takesPassword = challenges.contains { $0.scheme == "basic" }
        guard bearer != nil || takesPassword else { return nil }
        var found: Credential?
        var problem: Failure?
        // What everybody may read can be read without them: a helper that does not work is no reason to stop here.
        do { found = try await credentials.find(for: endpoint.base.authority) } catch let failure as Failure {
            problem = failure
        }
        do {
            let (header, lifetime) = try await header(endpoint, access, bearer, takesPassword, found)
            guard let header else {
                if let problem { throw Self.lacking(problem, at: endpoint) }
                return nil
            }
            tokens.store(header, for: Tokens.key(endpoint, access), lifetime: lifetime)
            return Login(header: header, isAnonymous: found == nil, problem: problem)
        } catch let failure as Failure where failure.code == .unauthorized && problem != nil {
            throw problem.map { Self.lacking($0, at: endpoint) } ?? failure
        }
    }

    private func header(
        _ endpoint: Endpoint, _ access: Access, _ bearer: BearerChallenge?, _ takesPassword: Bool, _ found: Credential?
    ) async throws -> (String?, lifetime: Int) {
        if takesPassword, case .password(let user, let secret) = found, bearer == nil {
            return (
                HTTPClient.Authorization.basic(username: user, password: secret).headerValue, Self.passwordLifetime
            )
        }
        guard let bearer else { return (nil, 0) }
        if case .registryToken(let token) = found { return ("Bearer \(token)", Self.passwordLifetime) }
        let (token, lifetime) = try await token(for: bearer, at: endpoint, access: access, with: found)
        return ("Bearer \(token)", lifetime)
    }

    /// Asks the realm of a challenge for a token: everybody's, or with stored credentials.
    private func token(
        for challenge: BearerChallenge, at endpoint: Endpoint, access: Access, with credential: Credential?
    ) async throws -> (String, lifetime: Int) {
        let (realm, checked) = try await realm(of: challenge, at: endpoint)
        // Our own scope, not the challenge's: a registry must not make us ask for more than we need.
        let scopes = access.scopes(of: endpoint.repository)
        var exchange = Exchange(.GET, realm, timeout: .seconds(30))
        exchange.checked = checked
        var authorization: String?
        if case .identityToken(let secret) = credential {
            var form = [("grant_type", "refresh_token"), ("client_id", userAgent), ("refresh_token", secret)]
            form += [("service", challenge.service ?? ""), ("scope", scopes.joined(separator: " "))]
            let body = ByteBuffer(string: form.map { "\($0)=\(WebAddress.escape($1))" }.joined(separator: "&"))
            exchange.method = .POST
            exchange.headers["Content-Type"] = "application/x-www-form-urlencoded"
            exchange.body = { .bytes(body) }
        } else {
            if let service = challenge.service { exchange.address = exchange.address.adding("service", service) }
            for scope in scopes { exchange.address = exchange.address.adding("scope", scope) }
            if case .password(let user, let secret) = credential {
                authorization = HTTPClient.Authorization.basic(username: user, password: secret).headerValue
            }
        }
        let response = try await send(exchange, authorization: authorization)
        if [400, 401, 403].contains(response.status.code), credential != nil {
            await discard(response, at: endpoint)
            throw Failure(
                .unauthorized,
                "\(realm.authority) answered Unauthorized to the credentials that are stored for \(endpoint.name)",
                advice: "Log in again with \(Credentials.login(endpoint.base.authority))")
        }
        try await check(response, at: endpoint, what: "a token from \(realm.authority)")
        let json = try? JSON(parsing: try await collect(response, limit: 256 << 10, at: endpoint))
        guard
            let token = [json?["token"], json?["access_token"]].lazy.compactMap({ $0?.string }).first(where: {
                !$0.isEmpty
            }), token.utf8.count <= Self.maximumToken, token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { throw Failure(.unauthorized, "Unauthorized: \(realm.authority) gave no usable token") }
        return (token, json?["expires_in"]?.int ?? 60)
    }

    /// Where a registry sends us for a token, if it may: over HTTPS, or in plain HTTP to the host of a registry that is
    /// itself spoken to in plain HTTP; and nowhere nearer than the registry is.
    private func realm(
        of challenge: BearerChallenge, at endpoint: Endpoint
    ) async throws -> (WebAddress, checked: [IPAddress]?) {
        guard let realm = WebAddress(challenge.realm) else {
            throw Failure(.forbidden, "\(endpoint.name) sends clients for tokens to an address that is none")
        }
        guard realm.isSecure || !endpoint.base.isSecure && realm.host == endpoint.base.host else {
            throw Failure(.forbidden, "\(endpoint.name) sends clients for tokens to \(realm.authority) over plain http")
        }
        let checked = try await addresses.check(
            realm, namedBy: endpoint.base, isProxied: connections.isProxied(realm))
        return (realm, checked)
    }

    /// A second refusal: asking a third time would change nothing.
    static func refused(_ login: Login, by endpoint: Endpoint, for access: Access) -> Failure {
        let hint = Credentials.login(endpoint.base.authority)
        if let problem = login.problem { return lacking(problem, at: endpoint) }
        if login.isAnonymous {
            return Failure(
                .unauthorized,
                "\(endpoint.name) answered Unauthorized: not everybody may \(access.verb) \(endpoint.repository)",
                advice: "Check the name; a private repository needs \(hint)")
        }
        return Failure(
            .unauthorized, "\(endpoint.name) answered Unauthorized to the credentials that are stored for it",
            advice: "Log in with \(hint), as somebody who may \(access.verb) \(endpoint.repository)")
    }

    private static func lacking(_ problem: Failure, at endpoint: Endpoint) -> Failure {
        Failure(
            .unauthorized, "\(endpoint.name) answered Unauthorized, and its credentials cannot be looked up",
            cause: problem)
    }
}
