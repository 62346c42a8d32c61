internal import AsyncHTTPClient
internal import Core
package import NIOCore
internal import NIOHTTP1

extension Registry {
    package static let maximumConfig = 4 << 20

    /// A manifest's configuration, verified.
    ///
    /// - Throws: `.corrupted` when it is larger than 4 MiB or not what the manifest says.
    package func config(of manifest: Manifest, in reference: Reference) async throws -> ByteBuffer {
        guard manifest.config.size <= Self.maximumConfig else {
            throw Failure(
                .corrupted, "the configuration of \(reference) is larger than \(ByteCount(Self.maximumConfig))")
        }
        return try await naming("cannot read the configuration of \(reference)") {
            var bytes = ByteBuffer()
            try await stream(manifest.config, in: reference, from: 0, { _ in }) { chunk in
                bytes.writeImmutableBuffer(chunk)
            }
            guard Digest.of(bytes, manifest.config.digest.algorithm) == manifest.config.digest else {
                throw Failure(.corrupted, "its bytes are not those of \(manifest.config.digest)")
            }
            return bytes
        }
    }

    /// Downloads a blob into a store, verified while it is written; one that is already there is not asked for.
    ///
    /// - Parameter progress: told the bytes that are there so far.
    /// - Throws: `.corrupted` for wrong bytes, of which none stay; `.notFound`, `.unauthorized`, `.unavailable`.
    package func fetchBlob(
        _ blob: Descriptor, in reference: Reference, into store: BlobStore,
        progress: @escaping @Sendable (Int64) async throws -> Void = { _ in }
    ) async throws {
        // The download itself asks again, and knows when bytes have come in between; here only what a registry asks to
        // wait for is waited for.
        var once = self
        once.retries.delays = []
        let waiting = once
        try await naming("cannot download \(blob.digest) of \(reference)") {
            let source = RemoteBlob(name: "\(reference)", digest: blob.digest, size: blob.size) { offset, begin, take in
                try await waiting.stream(blob, in: reference, from: offset, begin, take)
            }
            try await BlobDownload(source, into: store, pause: pause).run(progress: progress)
        }
    }

    /// Whether the registry has a blob.
    package func blobExists(_ blob: Descriptor, in reference: Reference) async throws -> Bool {
        try await blobExists(blob, in: reference, for: .pull)
    }

    func blobExists(_ blob: Descriptor, in reference: Reference, for access: Access) async throws -> Bool {
        let endpoint = try Endpoint(reference, environment: environment)
        let response = try await exchange(
            Exchange(.HEAD, endpoint.address("blobs/\(blob.digest)")), at: endpoint, for: access)
        if response.status == .notFound { return false }
        try await check(response, at: endpoint, what: "\(blob.digest)")
        // A web page is an answer to anything. Whether the blob is there will then be seen when it is wanted.
        guard response.status == .ok, !Self.isPage(response) else { return false }
        let length = response.headers.first(name: "Content-Length").flatMap { Int64($0) }
        return length == blob.size || response.headers.first(name: "Docker-Content-Digest") == "\(blob.digest)"
    }

    /// Hands out a blob's bytes from an offset on, never more than its descriptor says.
    ///
    /// - Parameter begin: told where they do begin: at 0 where the registry knows no ranges.
    private func stream(
        _ blob: Descriptor, in reference: Reference, from offset: Int64, _ begin: (Int64) async throws -> Void,
        _ take: (ByteBuffer) async throws -> Void
    ) async throws {
        let endpoint = try Endpoint(reference, environment: environment)
        var request = Exchange(.GET, endpoint.address("blobs/\(blob.digest)"))
        if offset > 0 { request.headers["Range"] = "bytes=\(offset)-" }
        var response = try await exchange(request, at: endpoint, for: .pull)
        var start = offset
        if offset > 0, !Self.isRange(response, from: offset, size: blob.size) {
            // It knows no ranges, or answers with another one than was asked for: all of it then. Any other answer is
            // about more than the range.
            if response.status == .rangeNotSatisfiable || response.status == .partialContent {
                await discard(response, at: endpoint)
                request.headers["Range"] = nil
                response = try await exchange(request, at: endpoint, for: .pull)
            }
            start = 0
        }
        try await check(response, at: endpoint, what: "\(blob.digest)")
        guard !Self.isPage(response) else {
            throw Failure(
                .unavailable, "\(endpoint.name) answered with an HTML page instead of \(blob.size) bytes",
                advice: "Is something between here and the registry?")
        }
        guard response.status == (start > 0 ? .partialContent : .ok) else {
            throw Failure(.corrupted, "\(endpoint.name) answers \(response.status.code) where all bytes were asked for")
        }
        if let length = response.headers.first(name: "Content-Length"), Int64(length) != blob.size - start {
            throw Failure(
                .corrupted, "\(endpoint.name) sends \(length.prefix(20)) bytes instead of \(blob.size - start)")
        }
        try await begin(start)
        var count = start
        var chunks = response.body.makeAsyncIterator()
        var pace = pace
        while true {
            let asked = now()
            let chunk: ByteBuffer?
            do { chunk = try await chunks.next() } catch {
                throw Self.unreachable(
                    error, "the connection to \(endpoint.name) broke after \(count) of \(blob.size) bytes")
            }
            guard let chunk else { break }
            let came = now()
            count += Int64(chunk.readableBytes)
            guard count <= blob.size else {
                throw Failure(.corrupted, "\(endpoint.name) sends more than the \(blob.size) bytes of \(blob.digest)")
            }
            try await take(chunk)
            if count < blob.size {
                try pace.note(chunk.readableBytes, after: came - asked, from: endpoint.name)
            }
        }
        guard count == blob.size else {
            throw Failure(.unavailable, "\(endpoint.name) ended after \(count) of \(blob.size) bytes")
        }
    }

    /// Whether an answer is the rest that was asked for.
    private static func isRange(_ response: HTTPClientResponse, from offset: Int64, size: Int64) -> Bool {
        let ranges = ["\(size)", "*"].map { "bytes \(offset)-\(size - 1)/\($0)" }
        return response.status == .partialContent
            && response.headers.first(name: "Content-Range").map(ranges.contains) ?? false
    }
}
