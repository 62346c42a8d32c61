internal import Core
package import NIOCore
internal import NIOPosix
internal import SystemPackage

/// One blob on its way into a store: hashed while it is written, visible under its name only when it is right.
///
/// Until `commit` the bytes are in a file of their own, which disappears with this value.
package struct Ingest: ~Copyable {
    private let store: BlobStore
    private let expected: (digest: Digest, size: Int64)?
    private let temporary: FilePath
    private let descriptor: SystemPackage.FileDescriptor
    private var hasher: Digest.Hasher
    /// Bytes written so far.
    package private(set) var count: Int64
    private var committed: Bool

    /// - Parameter expected: what the bytes must turn out to be; nil takes them as they come.
    package init(into store: BlobStore, expecting expected: (digest: Digest, size: Int64)? = nil) throws {
        let algorithm = expected?.digest.algorithm ?? .sha256
        let folder = store.folder.appending(algorithm.rawValue)
        let temporary = folder.appending("\(expected?.digest.hex ?? "new").\(Files.unique()).incomplete")
        try Files.makeDirectory(folder)
        let descriptor = try Files.wrap("cannot write \(temporary)") {
            try SystemPackage.FileDescriptor.open(
                temporary, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
                permissions: FilePermissions(rawValue: 0o644))
        }
        self.store = store
        self.expected = expected
        self.temporary = temporary
        self.descriptor = descriptor
        hasher = Digest.Hasher(algorithm)
        count = 0
        committed = false
    }

    /// - Throws: `.corrupted` as soon as there are more bytes than expected; `.resourceExhausted` on a full disk.
    package mutating func write(_ bytes: ByteBuffer) throws {
        count += Int64(bytes.readableBytes)
        if let expected, count > expected.size {
            throw Failure(.corrupted, "\(expected.digest) goes on after its \(expected.size) bytes")
        }
        hasher.update(bytes)
        try Files.wrap("cannot write \(temporary)") {
            _ = try bytes.withUnsafeReadableBytes { try descriptor.writeAll($0) }
        }
    }

    /// Gives the file its name, if the bytes are the expected ones.
    ///
    /// - Throws: `.corrupted` when they are too few or have another digest.
    @discardableResult
    package mutating func commit() async throws -> (digest: Digest, size: Int64) {
        let digest = hasher.finalize()
        if let expected {
            guard count == expected.size else {
                throw Failure(.corrupted, "\(expected.digest) ends after \(count) of \(expected.size) bytes")
            }
            guard digest == expected.digest else {
                throw Failure(.corrupted, "the bytes of \(expected.digest) are not those, they have \(digest)")
            }
        }
        // Waiting for the disk can take seconds, which the few threads that run tasks do not have.
        let (descriptor, temporary, target) = (descriptor, temporary, store.path(of: digest))
        try await NIOThreadPool.singleton.runIfActive {
            try Files.wrap("cannot store \(target)") {
                try POSIX.synchronize(descriptor)
                try POSIX.rename(temporary, to: target)
                try Files.synchronizeDirectory(target.removingLastComponent())
            }
        }
        committed = true
        return (digest, count)
    }

    deinit {
        try? descriptor.close()
        if !committed { try? POSIX.removeFile(temporary) }
    }
}
