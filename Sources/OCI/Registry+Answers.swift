internal import AsyncHTTPClient
internal import Core
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import SystemPackage

extension Registry {
    private static let maximumErrorBody = 64 << 10

    /// Passes 2xx; turns anything else into a failure of the matching kind.
    func check(_ response: HTTPClientResponse, at endpoint: Endpoint, what: String) async throws {
        guard !(200..<300).contains(response.status.code) else { return }
        let body = (try? await read(response, Self.maximumErrorBody, at: endpoint)) ?? ByteBuffer()
        throw Self.failure(
            status: Int(response.status.code), contentType: response.headers.first(name: "Content-Type"), body: body,
            registry: endpoint.name, what: what)
    }

    /// What an unsuccessful answer means.
    static func failure(
        status: Int, contentType: String?, body: ByteBuffer, registry: String, what: String
    ) -> Failure {
        let error = (try? JSON(parsing: body))?["errors"]?.array?.first
        let code = error?["code"]?.string ?? ""
        let said = error?["message"]?.string.map { ": \($0.prefix(200).filter { !$0.isNewline })" } ?? ""
        let isPage = contentType?.lowercased().hasPrefix("text/html") == true
        switch (status, code) {
        case (404, _), (_, "MANIFEST_UNKNOWN"), (_, "NAME_UNKNOWN"):
            return Failure(
                .notFound, "\(what) not found at \(registry)\(said)",
                advice: isPage ? "It answered with an HTML page; is this address a registry?" : nil)
        case (401, _):
            return Failure(
                .unauthorized, "\(registry) answered Unauthorized\(said)",
                advice: "Check the name; a private repository needs docker login")
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
        return Failure(isLate(error) ? .timedOut : .unavailable, "\(message): \(reason(error))")
    }

    /// Whether the peer closed the connection before it answered.
    static func wasClosed(_ error: any Error) -> Bool {
        error as? HTTPClientError == .remoteConnectionClosed || error as? ChannelError == .ioOnClosedChannel
            || (error as? IOError).map { Errno(rawValue: $0.errnoCode) == .connectionReset } ?? false
    }

    private static func isLate(_ error: any Error) -> Bool {
        guard let error = error as? HTTPClientError else { return false }
        return error == .connectTimeout || error == .readTimeout || error == .deadlineExceeded
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as HTTPClientError:
            if error == .remoteConnectionClosed { return "the connection was closed" }
            return isLate(error) ? "no answer in time" : String(describing: error)
        default: return Failure.text(of: error)
        }
    }
}
