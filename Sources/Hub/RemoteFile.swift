internal import Core
package import NIOCore
package import OCI

/// How a file of known digest comes into a store; told the bytes that are there so far.
package typealias BlobDownload =
    @Sendable (RemoteFile, BlobStore, @Sendable (Int64) async throws -> Void) async throws -> Void

/// A file elsewhere whose digest is known, and whose bytes can be had from any place on.
package struct RemoteFile: Sendable {
    /// For messages.
    package let name: String
    package let digest: Digest
    /// Bytes.
    package let size: Int64
    /// Asks for the bytes from an offset on. `begin` is told once where they do begin, which is 0 from a server that
    /// knows no ranges; then come the bytes, never more than `size` in all.
    package let read:
        @Sendable (
            _ offset: Int64, _ begin: (Int64) async throws -> Void, _ take: (ByteBuffer) async throws -> Void
        ) async throws -> Void

    package init(
        name: String, digest: Digest, size: Int64,
        read:
            @escaping @Sendable (
                Int64, (Int64) async throws -> Void, (ByteBuffer) async throws -> Void
            ) async throws -> Void
    ) {
        self.name = name
        self.digest = digest
        self.size = size
        self.read = read
    }

    /// Streams the file into its place in one go, verified while it is written.
    ///
    /// - Throws: `.corrupted` for wrong bytes, of which none stay; what `read` throws.
    package static let download: BlobDownload = { file, store, progress in
        guard !store.contains(file.digest, size: file.size) else { return try await progress(file.size) }
        var ingest = try Ingest(into: store, expecting: (file.digest, file.size))
        try await file.read(0, { _ in }) { chunk in
            try ingest.write(chunk)
            try await progress(ingest.count)
        }
        try await ingest.commit()
    }
}
