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
            try await stream(manifest.config, in: reference) { chunk in bytes.writeImmutableBuffer(chunk) }
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
        progress: (Int64) async throws -> Void = { _ in }
    ) async throws {
        guard !store.contains(blob.digest, size: blob.size) else { return try await progress(blob.size) }
        try await naming("cannot download \(blob.digest) of \(reference)") {
            var ingest = try Ingest(into: store, expecting: (blob.digest, blob.size))
            try await stream(blob, in: reference) { chunk in
                try ingest.write(chunk)
                try await progress(ingest.count)
            }
            try await ingest.commit()
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
        return true
    }

    /// Hands out a blob's bytes, never more than its descriptor says.
    private func stream(
        _ blob: Descriptor, in reference: Reference, _ take: (ByteBuffer) async throws -> Void
    ) async throws {
        let endpoint = try Endpoint(reference, environment: environment)
        let response = try await exchange(
            Exchange(.GET, endpoint.address("blobs/\(blob.digest)")), at: endpoint, for: .pull)
        try await check(response, at: endpoint, what: "\(blob.digest)")
        if let length = response.headers.first(name: "Content-Length"), Int64(length) != blob.size {
            throw Failure(.corrupted, "\(endpoint.name) sends \(length.prefix(20)) bytes instead of \(blob.size)")
        }
        var count: Int64 = 0
        var chunks = response.body.makeAsyncIterator()
        while true {
            let chunk: ByteBuffer?
            do { chunk = try await chunks.next() } catch {
                throw Self.unreachable(
                    error, "the connection to \(endpoint.name) broke after \(count) of \(blob.size) bytes")
            }
            guard let chunk else { break }
            count += Int64(chunk.readableBytes)
            guard count <= blob.size else {
                throw Failure(.corrupted, "\(endpoint.name) sends more than the \(blob.size) bytes of \(blob.digest)")
            }
            try await take(chunk)
        }
        guard count == blob.size else {
            throw Failure(.corrupted, "\(endpoint.name) sent \(count) of \(blob.size) bytes")
        }
    }
}
