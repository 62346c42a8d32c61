internal import Core
internal import NIOCore
internal import OCI
internal import SystemPackage

/// Blobs somebody is about to need: as long as this value lives, no process removes them for being unused.
///
/// A file that lists them, locked by whoever wrote it; the kernel lets go of the lock when that process dies, however.
final class BlobLease: Sendable {
    private let path: FilePath
    private let lock: FileLock

    fileprivate init?(_ digests: Set<Digest>, in folder: FilePath) throws {
        path = folder.appending("\(POSIX.processID)-\(Files.unique())")
        try Files.makeDirectory(folder)
        try Files.write(ByteBuffer(string: digests.sorted().map { "\($0)\n" }.joined()), to: path)
        guard let lock = try FileLock.acquire(path, wait: false) else { return nil }
        self.lock = lock
    }

    deinit { try? POSIX.removeFile(path) }

    /// All blobs that are leased; leases whose holders have died are put away.
    static func held(in folder: FilePath) throws -> Set<Digest> {
        var held = Set<Digest>()
        for name in (try? POSIX.list(folder)) ?? [] where !name.hasPrefix(".") {
            let path = folder.appending(name)
            guard Files.exists(path) else { continue }
            if let lock = try FileLock.acquire(path, wait: false) {
                try? POSIX.removeFile(path)
                withExtendedLifetime(lock) {}
            } else if let text = try? Files.read(path, limit: 4 << 20) {
                held.formUnion(String(buffer: text).split(separator: "\n").compactMap { try? Digest(parsing: $0) })
            }
        }
        return held
    }
}

extension ModelStore {
    private var leaseFolder: FilePath { root.appending(".wharf.leases") }

    /// Keeps blobs from being removed as unused, whether they are there already or still to come.
    ///
    /// Taken before the first look at what is there, and kept until the model is registered.
    func lease(_ digests: some Sequence<Digest>) throws -> BlobLease {
        let digests = Set(digests)
        // Under the store's lock, so that nobody is removing just now.
        let lease = try change { _ in try BlobLease(digests, in: leaseFolder) }
        guard let lease else { throw Failure(.conflict, "somebody else has locked a new file in \(leaseFolder)") }
        return lease
    }

    /// For use under the store's lock.
    func leased() throws -> Set<Digest> { try BlobLease.held(in: leaseFolder) }

    /// The names of what this store keeps beside Docker's own files.
    static let ownEntries = [".wharf.leases"]
}
