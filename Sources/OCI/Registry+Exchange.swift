internal import AsyncHTTPClient
internal import Core
internal import NIOCore
internal import NIOHTTP1

/// One request, described so that it can be sent again with a token or elsewhere.
struct Exchange: Sendable {
    var method: HTTPMethod
    var address: WebAddress
    /// What to connect to, where somebody else named the address.
    var checked: [IPAddress]?
    var headers: [String: String]
    /// Made anew for every attempt, because a stream can be read once only.
    var body: (@Sendable () -> HTTPClientRequest.Body)?
    /// Time to the head of the answer; nil waits as long as bytes flow.
    var timeout: TimeAmount?

    init(
        _ method: HTTPMethod, _ address: WebAddress, headers: [String: String] = [:],
        body: (@Sendable () -> HTTPClientRequest.Body)? = nil, isRepeatable: Bool = false,
        timeout: TimeAmount? = .seconds(60)
    ) {
        self.isRepeatable = isRepeatable || method == .GET || method == .HEAD
        self.method = method
        self.address = address
        self.headers = headers
        self.body = body
        self.timeout = timeout
    }

    /// Whether it can be sent again when an answer is missing: twice does no more than once.
    var isRepeatable: Bool

    /// Whether it changes nothing, so that it may be sent elsewhere.
    var isRead: Bool { method == .GET || method == .HEAD }
}

/// A connection that failed, before it is known whether it is tried again.
struct Unreachable: Error {
    let cause: any Error
    let authority: String
    /// The proxy on the way, as a message has it.
    let detour: String
}

extension Registry {
    private static let maximumRedirects = 10

    /// Sends a request; answers a demand for credentials once, follows redirects of reads, tries reads again that failed
    /// in passing, and asks mirrors first where there are any.
    ///
    /// Any status but those is the caller's to judge.
    func exchange(_ exchange: Exchange, at endpoint: Endpoint, for access: Access) async throws -> HTTPClientResponse {
        if let response = try await askMirrors(exchange, of: endpoint, for: access) { return response }
        var attempt = 0
        while true {
            let delay: Duration
            do {
                let response = try await authorized(exchange, at: endpoint, for: access)
                let retryAfter = response.headers.first(name: "Retry-After")
                let wait = retries.delay(
                    after: attempt, status: Int(response.status.code), retryAfter: retryAfter, now: .now)
                guard exchange.isRepeatable, let wait else { return response }
                await discard(response, at: endpoint)
                delay = wait
            } catch let failure as Unreachable {
                // Where nobody ever answered, a refused connection or an unknown name is an answer: a wrong address.
                let isTransient =
                    Self.isTransient(failure.cause)
                    || Self.isAbsence(failure.cause) && history.hasAnswered(failure.authority)
                let wait = retries.delay(
                    after: attempt, isTransient: isTransient, isLate: Self.isLate(failure.cause))
                guard exchange.isRepeatable, let wait else {
                    throw Self.unreachable(
                        failure.cause, "cannot reach the registry at \(failure.authority)\(failure.detour)")
                }
                delay = wait
            }
            try await pause(delay)
            attempt += 1
        }
    }

    /// The first mirror's answer that is one; nil when the registry itself must be asked.
    private func askMirrors(
        _ exchange: Exchange, of endpoint: Endpoint, for access: Access
    ) async throws -> HTTPClientResponse? {
        guard exchange.isRead, access == .pull, exchange.address.isSameOrigin(as: endpoint.base) else { return nil }
        for address in endpoint.mirrors where !history.rests(address.authority) {
            let mirror = Endpoint(mirror: address, repository: endpoint.repository)
            var copy = exchange
            copy.address = address.under(exchange.address.target)
            do {
                let response = try await authorized(copy, at: mirror, for: access)
                if (200..<300).contains(response.status.code), !Self.isPage(response) { return response }
                await discard(response, at: mirror)
            } catch let failure as Unreachable {
                if Self.unreachable(failure.cause, "") is CancellationError { throw CancellationError() }
                history.letRest(address.authority)
            } catch is Failure {
                // Its credentials, its redirects: whatever it is, the next one may do better.
            }
        }
        return nil
    }

    private func authorized(
        _ exchange: Exchange, at endpoint: Endpoint, for access: Access
    ) async throws -> HTTPClientResponse {
        let key = Tokens.key(endpoint, access)
        let known = tokens.header(for: key)
        let (response, place) = try await follow(exchange, at: endpoint, authorization: known)
        // Only the registry itself says where its credentials go, nobody it redirects to.
        guard response.status == .unauthorized, place.isSameOrigin(as: endpoint.base) else { return response }
        if let known { tokens.forget(known, for: key) }
        let challenges = Challenge.all(in: response.headers["WWW-Authenticate"])
        guard let login = try await login(to: endpoint, for: access, challenges: challenges) else { return response }
        await discard(response, at: endpoint)
        let (second, secondPlace) = try await follow(exchange, at: endpoint, authorization: login.header)
        guard second.status == .unauthorized, secondPlace.isSameOrigin(as: endpoint.base) else { return second }
        await discard(second, at: endpoint)
        tokens.forget(login.header, for: key)
        throw Self.refused(login, by: endpoint, for: access)
    }

    private func follow(
        _ first: Exchange, at endpoint: Endpoint, authorization: String?
    ) async throws -> (HTTPClientResponse, WebAddress) {
        var exchange = first
        for _ in 0...Self.maximumRedirects {
            // What authorizes us belongs to the registry; storage elsewhere must not see it.
            let isMine = exchange.address.isSameOrigin(as: endpoint.base)
            let response = try await send(exchange, authorization: isMine ? authorization : nil)
            guard exchange.isRead, [301, 302, 303, 307, 308].contains(response.status.code) else {
                return (response, exchange.address)
            }
            await discard(response, at: endpoint)
            guard let next = response.headers.first(name: "Location").flatMap({ exchange.address.resolving($0) }) else {
                throw Failure(.corrupted, "\(exchange.address.authority) redirects to no valid address")
            }
            guard next.isSecure || !endpoint.base.isSecure else {
                throw Failure(.forbidden, "\(exchange.address.authority) redirects from https to plain http")
            }
            exchange.checked = try await addresses.check(
                next, namedBy: endpoint.base, isProxied: connections.isProxied(next))
            exchange.address = next
        }
        throw Failure(.unavailable, "\(endpoint.name) redirects more than \(Self.maximumRedirects) times")
    }

    /// One request and its answer, whatever that is.
    ///
    /// - Throws: `Unreachable`; `.failedPrecondition` for certificates that cannot be read.
    func send(_ exchange: Exchange, authorization: String?) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: exchange.address.description)
        request.method = exchange.method
        request.headers.add(name: "User-Agent", value: userAgent)
        for (name, value) in exchange.headers { request.headers.add(name: name, value: value) }
        if let authorization { request.headers.add(name: "Authorization", value: authorization) }
        request.body = exchange.body?()
        let deadline = exchange.timeout.map { NIODeadline.now() + $0 } ?? .distantFuture
        func execute() async throws -> HTTPClientResponse {
            try await connections.execute(
                request, to: exchange.address, at: exchange.checked, deadline: deadline)
        }
        let response: HTTPClientResponse
        do {
            do { response = try await execute() } catch  where Self.wasClosed(error) && exchange.isRead {
                // An idle connection may be closed in the moment it is taken for this; what only reads can be repeated.
                response = try await execute()
            }
        } catch let failure as Failure {
            throw failure
        } catch {
            let address = exchange.address
            throw Unreachable(
                cause: error, authority: address.authority, detour: connections.detour(to: address))
        }
        history.noteAnswer(exchange.address.authority)
        return response
    }
}
