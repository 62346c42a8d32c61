internal import Core
package import NIOCore
package import SystemPackage

/// Files named by their digest: `blobs/sha256/<hex>` below a root. A file under such a name is complete and verified.
package struct BlobStore: Sendable {
    /// The folder that holds `sha256/…`.
    package let folder: FilePath

    /// - Parameter folder: the name below `root`; manifests are kept the same way in a folder of their own.
    package init(root: FilePath, folder: String = "blobs") {
        self.folder = root.appending(folder)
    }

    package func path(of digest: Digest) -> FilePath {
        folder.appending(digest.algorithm.rawValue).appending(digest.hex)
    }

    /// - Parameter size: bytes the file must have; nil takes any.
    package func contains(_ digest: Digest, size: Int64? = nil) -> Bool {
        guard let status = try? POSIX.status(path(of: digest)), status.isRegular else { return false }
        return size.map { $0 == status.size } ?? true
    }

    /// Reads a small blob and checks that it still is what its name says.
    ///
    /// - Throws: `.notFound`; `.corrupted` when the bytes have changed; `.resourceExhausted` beyond `limit` bytes.
    package func read(_ digest: Digest, limit: Int = 4 << 20) throws -> ByteBuffer {
        let bytes = try Files.read(path(of: digest), limit: limit)
        guard Digest.of(bytes, digest.algorithm) == digest else {
            throw Failure(.corrupted, "\(path(of: digest)) has changed since it was stored")
        }
        return bytes
    }

    /// Stores bytes that are at hand; those already there are left alone.
    @discardableResult
    package func store(_ bytes: ByteBuffer) throws -> Digest {
        let digest = Digest.sha256(of: bytes)
        if !contains(digest, size: Int64(bytes.readableBytes)) {
            try Files.makeDirectory(path(of: digest).removingLastComponent())
            try Files.write(bytes, to: path(of: digest))
        }
        return digest
    }

    /// Copies a file in, hashing on the way, a chunk at a time.
    ///
    /// - Parameter progress: told the bytes read so far, a mebibyte apart.
    /// - Throws: `.notFound` and the like for the file; nothing stays behind then.
    package func store(
        file: FilePath, progress: @escaping @Sendable (Int64) async throws -> Void = { _ in }
    ) async throws -> (digest: Digest, size: Int64) {
        var ingest = try Ingest(into: self)
        for try await chunk in FileChunks(file, progress: progress) { try ingest.write(chunk) }
        return try await ingest.commit()
    }

    /// Removes a blob; one that is not there is fine.
    package func remove(_ digest: Digest) throws { try Files.remove(path(of: digest)) }
}
