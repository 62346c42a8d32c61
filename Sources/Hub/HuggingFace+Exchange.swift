internal import AsyncHTTPClient
internal import Core
internal import NIOCore
internal import NIOHTTP1
internal import OCI

extension HuggingFace {
    private static let maximumRedirects = 10
    private static let maximumAnswer = 32 << 20
    private static let maximumErrorBody = 64 << 10

    func json(_ path: String, of name: HubReference) async throws -> (value: JSON, next: WebAddress?) {
        try await json(WebAddress(isSecure: base.isSecure, authority: base.authority, target: path), of: name)
    }

    /// A small answer, and where it goes on.
    func json(_ address: WebAddress, of name: HubReference?) async throws -> (value: JSON, next: WebAddress?) {
        let response = try await get(address)
        try await check(response, name)
        let bytes = try await collect(response, Self.maximumAnswer)
        do {
            return (try JSON(parsing: bytes), try next(response, after: address))
        } catch let failure as Failure where failure.code == .invalidArgument {
            throw Failure(
                .corrupted, "\(base.authority) does not answer as Hugging Face's hub does",
                advice: "Check HF_ENDPOINT and the proxy's settings")
        }
    }

    /// The page after this one, on this host only.
    private func next(_ response: HTTPClientResponse, after address: WebAddress) throws -> WebAddress? {
        guard let link = response.headers["Link"].lazy.compactMap({ Self.nextLink($0) }).first else { return nil }
        guard let next = address.resolving(link), next.isSameOrigin(as: base), next != address else {
            throw Failure(.corrupted, "\(base.authority) names no valid address for its next page")
        }
        return next
    }

    /// The target of `<…>; rel="next"`.
    static func nextLink(_ header: String) -> String? {
        for link in header.split(separator: ",") {
            let parts = link.split(separator: ";").map { $0.drop(while: \.isWhitespace) }
            guard let target = parts.first, target.hasPrefix("<"), let end = target.firstIndex(of: ">"),
                parts.dropFirst().contains(where: { $0.filter { $0 != "\"" && $0 != " " } == "rel=next" })
            else { continue }
            return String(target[target.index(after: target.startIndex)..<end])
        }
        return nil
    }

    /// Asks, follows redirects, and leaves every other status to the caller.
    ///
    /// The token goes to the hub alone: storage elsewhere does not see it, and neither does whoever storage sends us to.
    func get(_ first: WebAddress, headers: [(String, String)] = []) async throws -> HTTPClientResponse {
        var address = first
        var checked: [IPAddress]?
        var isHome = true
        for _ in 0...Self.maximumRedirects {
            isHome = isHome && address.isSameOrigin(as: base)
            let response = try await send(address, at: checked, isHome ? token : nil, headers)
            guard [301, 302, 303, 307, 308].contains(response.status.code) else { return response }
            _ = try? await collect(response, Self.maximumErrorBody)
            guard let next = response.headers.first(name: "Location").flatMap({ address.resolving($0) }) else {
                throw Failure(.corrupted, "\(address.authority) redirects to no valid address")
            }
            guard next.isSecure || !base.isSecure else {
                throw Failure(.forbidden, "\(address.authority) redirects from https to plain http")
            }
            checked = try await addresses.check(next, namedBy: base, isProxied: connections.isProxied(next))
            address = next
        }
        throw Failure(.unavailable, "\(base.authority) redirects more than \(Self.maximumRedirects) times")
    }

    private func send(
        _ address: WebAddress, at checked: [IPAddress]?, _ token: String?, _ headers: [(String, String)]
    ) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: address.description)
        request.headers.add(name: "User-Agent", value: userAgent)
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        do {
            let deadline = NIODeadline.now() + .seconds(60)
            do { return try await connections.execute(request, to: address, at: checked, deadline: deadline) } catch let
                error
                as HTTPClientError
                where error == .remoteConnectionClosed
            {
                // An idle connection may be closed in the moment it is taken for this.
                return try await connections.execute(request, to: address, at: checked, deadline: deadline)
            }
        } catch {
            throw Self.unreachable(error, "cannot reach \(address.authority)")
        }
    }

    static func unreachable(_ error: any Error, _ message: String) -> any Error {
        if error is Failure || error is CancellationError { return error }
        guard let http = error as? HTTPClientError else { return Failure(.unavailable, message, cause: error) }
        if http == .cancelled { return CancellationError() }
        let isLate = http == .connectTimeout || http == .readTimeout || http == .deadlineExceeded
        return isLate
            ? Failure(.timedOut, "\(message): no answer in time") : Failure(.unavailable, message, cause: http)
    }

    /// Passes 2xx; makes of anything else a failure that says what to do.
    func check(_ response: HTTPClientResponse, _ name: HubReference?) async throws {
        guard !(200..<300).contains(response.status.code) else { return }
        let body = try? await collect(response, Self.maximumErrorBody)
        throw HubRefusal(
            status: Int(response.status.code), code: response.headers.first(name: "X-Error-Code") ?? "",
            said: body.flatMap { try? JSON(parsing: $0) }?["error"]?.string,
            retryAfter: response.headers.first(name: "Retry-After"), hasToken: token != nil
        ).failure(of: name, at: base.authority)
    }

    /// Bounded in time too: a peer that sends a byte now and then is never silent for long enough to be given up.
    private func collect(_ response: HTTPClientResponse, _ limit: Int) async throws -> ByteBuffer {
        let seconds = smallAnswerLimit.components.seconds
        do {
            return try await withDeadline(
                smallAnswerLimit, "\(base.authority) has not ended its answer in \(seconds) s"
            ) { try await response.body.collect(upTo: limit) }
        } catch is NIOTooManyBytesError {
            throw Failure(.corrupted, "\(base.authority) sent more than \(ByteCount(limit))")
        } catch {
            throw Self.unreachable(error, "the answer of \(base.authority) broke off")
        }
    }
}
