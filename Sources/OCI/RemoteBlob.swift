package import NIOCore

/// A blob elsewhere, whose bytes can be had from any place on.
package struct RemoteBlob: Sendable {
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
}
