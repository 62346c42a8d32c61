internal import AsyncHTTPClient
internal import Core
internal import NIOCore
internal import NIOHTTP1
package import SystemPackage

extension Registry {
    /// Uploads a file as a blob, unless the registry has it.
    ///
    /// - Parameter progress: told the bytes sent so far.
    /// - Throws: `.unauthorized`, `.forbidden`, `.unavailable`, and what reading the file throws.
    package func pushBlob(
        _ blob: Descriptor, file: FilePath, to reference: Reference,
        progress: @escaping @Sendable (Int64) async throws -> Void = { _ in }
    ) async throws {
        let endpoint = try Endpoint(reference, environment: environment)
        try await naming("cannot upload \(blob.digest) to \(reference)") {
            if try await blobExists(blob, in: reference, for: .push) { return try await progress(blob.size) }
            let start = try await exchange(
                Exchange(.POST, endpoint.address("blobs/uploads/"), body: { .bytes(ByteBuffer()) }),
                at: endpoint, for: .push)
            try await check(start, at: endpoint, what: reference.name)
            await discard(start, at: endpoint)
            guard let place = start.headers.first(name: "Location").flatMap({ endpoint.base.resolving($0) }),
                place.isSecure || !endpoint.base.isSecure
            else { throw Failure(.corrupted, "\(endpoint.name) names no valid place to upload to") }
            let end = try await exchange(
                Exchange(
                    .PUT, place.adding("digest", blob.digest.description),
                    headers: ["Content-Type": "application/octet-stream"],
                    body: { .stream(FileChunks(file, progress: progress), length: .known(blob.size)) }, timeout: nil),
                at: endpoint, for: .push)
            try await check(end, at: endpoint, what: reference.name)
            await discard(end, at: endpoint)
        }
    }

    /// Gives the repository a manifest under the reference's tag (or digest), after all its blobs are there.
    package func pushManifest(_ manifest: Manifest, to reference: Reference) async throws {
        let endpoint = try Endpoint(reference, environment: environment)
        try await naming("cannot upload the manifest of \(reference)") {
            let response = try await exchange(
                Exchange(
                    .PUT, endpoint.address("manifests/\(reference.target)"),
                    headers: ["Content-Type": manifest.mediaType], body: { .bytes(manifest.raw) }),
                at: endpoint, for: .push)
            try await check(response, at: endpoint, what: "\(reference)")
            await discard(response, at: endpoint)
            try Self.verify(manifest, againstHeader: response.headers.first(name: "Docker-Content-Digest"))
        }
    }
}
