internal import Core
internal import NIOCore
internal import Synchronization
internal import SystemPackage

/// A blob's file while it is not complete: hashed while it is written, and kept for the next attempt when it is let go.
///
/// Locked against other writers, of this process too. Its calls block; they belong on a thread that may.
final class PartialBlob: Sendable {
    private struct State {
        /// Bytes that are written.
        var count: Int64 = 0
        /// Bytes the disk has been asked to write.
        var flushed: Int64 = 0
    }

    private static let piece = 1 << 20
    /// Bytes between two requests to the disk to begin writing.
    private static let flushStep: Int64 = 8 << 20

    let digest: Digest
    let size: Int64
    private let store: BlobStore
    private let path: FilePath
    private let descriptor: SystemPackage.FileDescriptor
    private let state = Mutex(State())
    /// Of all bytes that are written.
    private let hasher: Mutex<Digest.Hasher>

    static func path(of digest: Digest, in store: BlobStore) -> FilePath {
        store.folder.appending(digest.algorithm.rawValue).appending("\(digest.hex).incomplete")
    }

    /// nil while somebody else writes it.
    init?(_ digest: Digest, size: Int64, in store: BlobStore) throws {
        path = Self.path(of: digest, in: store)
        try Files.makeDirectory(path.removingLastComponent())
        descriptor = try Files.wrap("cannot write \(path)") { [path] in
            try SystemPackage.FileDescriptor.open(
                path, .readWrite, options: [.create, .closeOnExec], permissions: FilePermissions(rawValue: 0o644))
        }
        self.digest = digest
        self.size = size
        self.store = store
        hasher = Mutex(Digest.Hasher(digest.algorithm))
        // Whoever had it before may have completed or removed it between the opening and the lock.
        guard try POSIX.lock(descriptor, exclusive: true, wait: false),
            try POSIX.inode(descriptor) == (try? POSIX.status(path))?.inode
        else { return nil }
    }

    deinit { try? descriptor.close() }

    /// Bytes that are there.
    var count: Int64 { state.withLock { $0.count } }

    /// Hashes what an earlier attempt has left; more than the blob has is worth nothing.
    ///
    /// - Parameter isCancelled: asked after every piece.
    func resume(_ isCancelled: () -> Bool) throws {
        try Files.wrap("cannot read \(path)") {
            guard try POSIX.status(path).size <= size else { return try restart() }
            var buffer = ByteBuffer()
            while !isCancelled() {
                buffer.clear()
                _ = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.piece) {
                    try descriptor.read(into: UnsafeMutableRawBufferPointer(rebasing: $0.prefix(Self.piece)))
                }
                guard buffer.readableBytes > 0 else { return }
                hash([buffer])
                state.withLock { $0.count += Int64(buffer.readableBytes) }
            }
            throw CancellationError()
        }
    }

    /// Forgets all bytes.
    func restart() throws {
        try Files.wrap("cannot write \(path)") {
            try descriptor.resize(to: 0)
            try descriptor.seek(offset: 0, from: .start)
        }
        state.withLock { $0 = State() }
        hasher.withLock { $0 = Digest.Hasher(digest.algorithm) }
    }

    /// Appends bytes. `hash` is to be told of the same ones, before, after, or at the same time. When this fails, nobody
    /// can go on with the blob as it is.
    ///
    /// - Returns: how many there are now.
    /// - Throws: `.resourceExhausted` on a full disk; `.corrupted` for more than the blob has.
    func write(_ batch: [ByteBuffer]) throws -> Int64 {
        for bytes in batch {
            guard Int64(bytes.readableBytes) <= size - count else {
                throw Failure(.corrupted, "\(digest) goes on after its \(size) bytes")
            }
            try Files.wrap("cannot write \(path)") {
                _ = try bytes.withUnsafeReadableBytes { try descriptor.writeAll($0) }
            }
            state.withLock { $0.count += Int64(bytes.readableBytes) }
        }
        return flush()
    }

    func hash(_ batch: [ByteBuffer]) {
        hasher.withLock { hasher in for bytes in batch { hasher.update(bytes) } }
    }

    private func flush() -> Int64 {
        state.withLock { state in
            if state.count - state.flushed >= Self.flushStep {
                POSIX.startWriting(descriptor, from: state.flushed, count: state.count - state.flushed)
                state.flushed = state.count
            }
            return state.count
        }
    }

    /// Gives the file its name, if the bytes are the expected ones.
    ///
    /// - Returns: whether they are.
    func commit() throws -> Bool {
        guard count == size, hasher.withLock({ $0.finalize() }) == digest else { return false }
        let target = store.path(of: digest)
        try Files.wrap("cannot store \(target)") {
            try POSIX.synchronize(descriptor)
            try POSIX.rename(path, to: target)
            try Files.synchronizeDirectory(target.removingLastComponent())
        }
        return true
    }

    /// Removes the file: nobody can go on with it.
    func remove() { try? POSIX.removeFile(path) }

    /// Removes a file in which nothing is, whether it has been looked into or not.
    func removeIfEmpty() {
        // By now the name may be that of another file.
        guard let status = try? POSIX.status(path), status.size == 0, status.inode == (try? POSIX.inode(descriptor))
        else { return }
        remove()
    }
}
