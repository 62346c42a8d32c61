internal import AsyncHTTPClient
internal import Core
internal import NIOCore
internal import NIOHTTP1
internal import SystemPackage

/// One blob on its way to a registry: taken from another repository there, or sent at once, or piece by piece.
struct BlobUpload: Sendable {
    /// How a blob is cut up.
    struct Sizes: Sendable {
        /// Bytes up to which a blob goes in one request, and starts anew when that breaks.
        var whole: Int64 = 64 << 20
        /// Bytes of one piece of a larger one. As fast as one request, and no more than this is sent again.
        var piece: Int64 = 64 << 20
    }

    let registry: Registry
    let endpoint: Endpoint
    let blob: Descriptor
    let file: FilePath
    let progress: @Sendable (Int64) async throws -> Void

    private static let maximumMounts = 3
    private static let maximumPiece: Int64 = 1 << 30

    /// An upload that has begun: where its next bytes go.
    private struct Session: Sendable {
        var place: WebAddress
        var offset: Int64 = 0
        /// What the registry wants as the least size of a piece.
        var minimumPiece: Int64 = 0
    }

    /// Something on the way failed that may go better next time.
    private struct Interrupted: Error {
        let failure: Failure
    }

    /// The registry does not know the upload any more; only a new one can help.
    private struct SessionLost: Error {
        let failure: Failure
    }

    /// The registry takes no pieces, or not several.
    private struct PiecesRefused: Error {}

    /// - Parameter sources: repositories of this registry that may have the blob.
    func run(mounting sources: [String]) async throws {
        guard var session = try await begin(mounting: sources) else { return try await progress(blob.size) }
        var restarts = 0
        var isWhole = blob.size <= registry.sizes.whole
        while true {
            do {
                if !isWhole { try await sendPieces(&session) }
                return try await finish(session)
            } catch is PiecesRefused {
                isWhole = true
                session = try await start()
            } catch let lost as SessionLost {
                guard restarts < registry.retries.delays.count else { throw lost.failure }
                try await registry.pause(registry.retries.delays[restarts])
                restarts += 1
                session = try await start()
            }
        }
    }

    /// nil when the blob is there without sending it.
    private func begin(mounting sources: [String]) async throws -> Session? {
        for source in sources.filter({ $0 != endpoint.repository }).prefix(Self.maximumMounts) {
            let address = endpoint.address("blobs/uploads/")
                .adding("mount", blob.digest.description).adding("from", source)
            let response: HTTPClientResponse
            do {
                response = try await registry.exchange(
                    Exchange(.POST, address, body: { .bytes(ByteBuffer()) }), at: endpoint, for: .mount(from: source))
            } catch let failure as Failure where [.unauthorized, .forbidden].contains(failure.code) {
                // What may not be read there may still be written here.
                continue
            }
            await registry.discard(response, at: endpoint)
            if response.status == .created {
                try verify(response)
                return nil
            }
            // Not there, or not for us: then an ordinary upload has begun.
            if response.status == .accepted { return try session(response) }
        }
        return try await start()
    }

    private func start() async throws -> Session {
        let response = try await registry.exchange(
            // One that is begun and forgotten costs the registry nothing that it does not tidy up.
            Exchange(.POST, endpoint.address("blobs/uploads/"), body: { .bytes(ByteBuffer()) }, isRepeatable: true),
            at: endpoint, for: .push)
        try await registry.check(response, at: endpoint, what: endpoint.repository)
        await registry.discard(response, at: endpoint)
        return try session(response)
    }

    private func session(_ response: HTTPClientResponse) throws -> Session {
        let least = response.headers.first(name: "OCI-Chunk-Min-Length").flatMap { Int64($0) } ?? 0
        return Session(place: try place(response), minimumPiece: min(max(0, least), Self.maximumPiece))
    }

    /// Sends the bytes up to the end, keeping up with what has arrived.
    private func sendPieces(_ session: inout Session) async throws {
        var failures = 0
        while session.offset < blob.size {
            let before = session.offset
            do { try await sendPiece(&session) } catch let interruption as Interrupted {
                guard failures < registry.retries.delays.count else { throw interruption.failure }
                try await registry.pause(registry.retries.delays[failures])
                failures += 1
                try await locate(&session, after: interruption.failure)
            }
            if session.offset > before { failures = 0 }
        }
    }

    private func sendPiece(_ session: inout Session) async throws {
        let (start, place) = (session.offset, session.place)
        let end = min(blob.size, start + max(registry.sizes.piece, session.minimumPiece))
        let response = try await send(
            Exchange(
                .PATCH, place,
                headers: ["Content-Type": "application/octet-stream", "Content-Range": "\(start)-\(end - 1)"],
                body: body(start..<end), timeout: nil), refusals: [400, 404, 405, 411, 501])
        session.place = try self.place(response)
        session.offset = try arrived(response) ?? end
        guard (start + 1...end).contains(session.offset) else {
            throw Failure(
                .corrupted, "\(endpoint.name) says it has \(session.offset) bytes after it was sent \(start) to \(end)")
        }
    }

    /// Asks how many bytes have arrived, after a request broke.
    private func locate(_ session: inout Session, after failure: Failure) async throws {
        let response = try await registry.exchange(Exchange(.GET, session.place), at: endpoint, for: .push)
        await registry.discard(response, at: endpoint)
        guard (200..<300).contains(response.status.code), let offset = try arrived(response),
            (0...blob.size).contains(offset)
        else { throw SessionLost(failure: failure) }
        session.offset = offset
        if response.headers.contains(name: "Location") { session.place = try place(response) }
    }

    /// Names the digest, and sends the bytes that have not been sent.
    private func finish(_ session: Session) async throws {
        do {
            let response = try await send(
                Exchange(
                    .PUT, session.place.adding("digest", blob.digest.description),
                    headers: ["Content-Type": "application/octet-stream"], body: body(session.offset..<blob.size),
                    timeout: nil))
            try verify(response)
        } catch let interruption as Interrupted {
            // It may have been the answer that was lost.
            if try await isThere() { return try await progress(blob.size) }
            throw SessionLost(failure: interruption.failure)
        }
    }

    /// - Parameter refusals: answers that mean that the registry does not take pieces.
    private func send(_ exchange: Exchange, refusals: Set<Int> = []) async throws -> HTTPClientResponse {
        let response: HTTPClientResponse
        do { response = try await registry.exchange(exchange, at: endpoint, for: .push) } catch let failure as Failure
            where failure.code == .unavailable || failure.code == .timedOut
        { throw Interrupted(failure: failure) }
        if refusals.contains(Int(response.status.code)) {
            await registry.discard(response, at: endpoint)
            throw PiecesRefused()
        }
        do { try await registry.check(response, at: endpoint, what: endpoint.repository) } catch let failure as Failure
            where [416, 502, 503, 504].contains(response.status.code)
        { throw Interrupted(failure: failure) }
        await registry.discard(response, at: endpoint)
        return response
    }

    private func isThere() async throws -> Bool {
        let response = try await registry.exchange(
            Exchange(.HEAD, endpoint.address("blobs/\(blob.digest)")), at: endpoint, for: .push)
        return response.status == .ok
    }

    private func body(_ range: Range<Int64>) -> @Sendable () -> HTTPClientRequest.Body {
        guard !range.isEmpty else { return { .bytes(ByteBuffer()) } }
        return { [file, progress] in
            .stream(
                FileChunks(file, range: range, progress: progress), length: .known(range.upperBound - range.lowerBound))
        }
    }

    /// Where the next bytes go: always on the registry itself, for nobody else is shown what a user uploads.
    private func place(_ response: HTTPClientResponse) throws -> WebAddress {
        guard let place = response.headers.first(name: "Location").flatMap({ endpoint.base.resolving($0) }) else {
            throw Failure(.corrupted, "\(endpoint.name) names no valid place to upload to")
        }
        guard place.isSameOrigin(as: endpoint.base) else {
            throw Failure(
                .forbidden,
                "\(endpoint.name) wants the upload sent to \(place.isSecure ? "https" : "http")://"
                    + place.authority,
                advice: "Uploads go to the registry's own address only; does a proxy before it hide its scheme or host?"
            )
        }
        return place
    }

    /// How many bytes the registry has: `Range: 0-N`, where `0-0` means none.
    private func arrived(_ response: HTTPClientResponse) throws -> Int64? {
        guard let header = response.headers.first(name: "Range") else { return nil }
        let text = header.hasPrefix("bytes=") ? header.dropFirst(6) : header[...]
        guard text.hasPrefix("0-"), let last = Int64(text.dropFirst(2)), last >= 0, last < Int64.max else {
            throw Failure(.corrupted, "\(endpoint.name) names an impossible range, \(header.prefix(40))")
        }
        return last == 0 ? 0 : last + 1
    }

    private func verify(_ response: HTTPClientResponse) throws {
        guard response.status == .created || response.status == .noContent else {
            throw Failure(.corrupted, "\(endpoint.name) answered \(response.status.code) to a whole upload")
        }
        if let digest = response.headers.first(name: "Docker-Content-Digest"), digest != blob.digest.description {
            throw Failure(.corrupted, "\(endpoint.name) took \(blob.digest) for \(digest.prefix(100))")
        }
    }
}
