internal import AsyncHTTPClient
internal import Core
internal import NIOCore
internal import NIOHTTP1
package import SystemPackage

extension Registry {
    /// Uploads a file as a blob, unless the registry has it.
    ///
    /// - Parameters:
    ///   - sources: repositories of the same registry that may have the blob, so that it need not be sent.
    ///   - progress: told the bytes sent so far; never fewer than before.
    /// - Throws: `.unauthorized`, `.forbidden`, `.unavailable`, and what reading the file throws.
    package func pushBlob(
        _ blob: Descriptor, file: FilePath, to reference: Reference, mounting sources: [String] = [],
        progress: @escaping @Sendable (Int64) async throws -> Void = { _ in }
    ) async throws {
        let endpoint = try Endpoint(reference, environment: environment)
        try await naming("cannot upload \(blob.digest) to \(reference)") {
            if try await blobExists(blob, in: reference, for: .push) { return try await progress(blob.size) }
            let mark = HighWater(progress)
            let upload = BlobUpload(registry: self, endpoint: endpoint, blob: blob, file: file) { count in
                try await connections.settle()
                try await mark.reached(count)
            }
            try await upload.run(mounting: sources)
        }
    }

    /// Gives the repository a manifest under the reference's tag (or digest), after all its blobs are there.
    package func pushManifest(_ manifest: Manifest, to reference: Reference) async throws {
        let endpoint = try Endpoint(reference, environment: environment)
        try await naming("cannot upload the manifest of \(reference)") {
            let response = try await exchange(
                Exchange(
                    .PUT, endpoint.address("manifests/\(reference.target)"),
                    headers: ["Content-Type": manifest.mediaType], body: { .bytes(manifest.raw) }, isRepeatable: true),
                at: endpoint, for: .push)
            try await check(response, at: endpoint, what: "\(reference)")
            await discard(response, at: endpoint)
            guard response.status == .created else {
                throw Failure(
                    .corrupted, "\(endpoint.name) answered \(response.status.code) where it should have created it",
                    advice: Self.isPage(response) ? "It answered with an HTML page; is this address a registry?" : nil)
            }
            try Self.verify(manifest, againstHeader: response.headers.first(name: "Docker-Content-Digest"))
        }
    }
}
