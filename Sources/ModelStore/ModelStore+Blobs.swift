internal import Core
package import NIOCore
package import OCI
package import SystemPackage

extension ModelStore {
    /// The file of a blob that a model may be made of; nil where there is none.
    package func file(of digest: Digest) -> FilePath? { blobs.contains(digest) ? blobs.path(of: digest) : nil }

    /// Takes a blob in that no model names yet; `prune` removes it where none ever does.
    ///
    /// - Parameter size: bytes, where they are known beforehand.
    /// - Throws: `.corrupted` or `.invalidArgument` when the bytes are others.
    package func store<Bytes: AsyncSequence>(_ bytes: Bytes, as digest: Digest, size: Int64?) async throws
    where Bytes.Element == ByteBuffer {
        var ingest = try Ingest(into: blobs, expecting: size.map { (digest, $0) })
        for try await chunk in bytes { try ingest.write(chunk) }
        let stored = try await ingest.commit()
        guard stored.digest == digest else {
            throw Failure(.invalidArgument, "the bytes have the digest \(stored.digest), not \(digest)")
        }
    }
}
