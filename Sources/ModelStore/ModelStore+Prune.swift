package import Core
package import OCI
internal import SystemPackage

extension ModelStore {
    /// What `prune` removed.
    package struct Pruned: Hashable, Sendable {
        /// Blobs and manifests no model needs, and models' folders without a model, by what they were named after.
        package fileprivate(set) var deleted: [Digest] = []
        /// Downloads and files under way that their writers have left.
        package fileprivate(set) var leftovers = 0
        /// Bytes that nobody else holds.
        package fileprivate(set) var bytes: Int64 = 0
    }

    /// Seconds a file that no model needs may be on its way to one.
    private static let grace: Int64 = 3600
    /// Seconds a download that nobody writes may wait to be gone on with.
    private static let patience: Int64 = 24 * 3600

    /// Removes what no model needs, and nothing that a process here may be about to need: what is leased, younger than an
    /// hour, or locked by its writer stays.
    ///
    /// - Throws: `.failedPrecondition` where manifests are there and the index is not; `.corrupted` for a damaged index.
    package func prune(now: Timestamp = .now) throws -> Pruned {
        var pruned = Pruned()
        // Under the store's lock all along: no model comes or goes, and no lease is taken.
        try change { index in
            let ids = Set(index.entries.map(\.id))
            if ids.isEmpty, !Files.exists(root.appending("models.json")), !digests(in: manifests).isEmpty {
                throw Failure(
                    .failedPrecondition, "\(root) has models' files, but its list of models, models.json, is gone",
                    advice: "Bring it back, or pull a model again; or remove everything with docker model purge")
            }
            let needed = try Set(index.entries.flatMap(\.files)).union(leased())
            for id in bundleIDs() where !ids.contains(id) {
                pruned.bytes += Self.freed(bundlePath(id))
                try Files.remove(bundlePath(id))
                pruned.deleted.append(id)
            }
            for (store, keep) in [(manifests, ids), (blobs, needed)] {
                for digest in digests(in: store) where !keep.contains(digest) {
                    guard let status = try? POSIX.status(store.path(of: digest)), status.isOlder(Self.grace, now) else {
                        continue
                    }
                    pruned.bytes += status.links == 1 ? status.size : 0
                    try store.remove(digest)
                    if !pruned.deleted.contains(digest) { pruned.deleted.append(digest) }
                }
            }
            try removeLeftovers(now, &pruned)
        }
        return pruned
    }

    /// Removes downloads that nobody has gone on with for a week; `prune` is stricter.
    func sweepOldDownloads(now: Timestamp = .now) {
        for path in downloads() { _ = try? removeDownload(path, olderThan: 7 * Self.patience, now) }
    }

    private func removeLeftovers(_ now: Timestamp, _ pruned: inout Pruned) throws {
        for path in downloads() {
            guard let size = try removeDownload(path, olderThan: Self.patience, now) else { continue }
            pruned.leftovers += 1
            pruned.bytes += size
        }
        let folders = [root] + [blobs, manifests].map { $0.folder.appending("sha256") } + [bundles.appending("sha256")]
        for folder in folders {
            for name in (try? POSIX.list(folder)) ?? [] where name.hasPrefix(".") && name.hasSuffix(".tmp") {
                let path = folder.appending(name)
                guard let status = try? POSIX.status(path, following: false), status.isOlder(Self.grace, now) else {
                    continue
                }
                pruned.bytes += Self.freed(path)
                try Files.remove(path)
                pruned.leftovers += 1
            }
        }
    }

    private func downloads() -> [FilePath] {
        Digest.Algorithm.allCases.flatMap { algorithm in
            let folder = blobs.folder.appending(algorithm.rawValue)
            return ((try? POSIX.list(folder)) ?? []).filter { $0.hasSuffix(".incomplete") }.map { folder.appending($0) }
        }
    }

    /// Whether somebody holds a download's lock.
    func isDownloading() -> Bool {
        downloads().contains { path in
            guard Files.exists(path), let lock = try? FileLock.acquire(path, wait: false) else { return true }
            withExtendedLifetime(lock) {}
            return false
        }
    }

    /// - Returns: the bytes it had; nil where it stays, because it is young or somebody holds its lock.
    private func removeDownload(_ path: FilePath, olderThan seconds: Int64, _ now: Timestamp) throws -> Int64? {
        guard let status = try? POSIX.status(path, following: false), status.isOlder(seconds, now),
            let lock = try FileLock.acquire(path, wait: false)
        else { return nil }
        defer { withExtendedLifetime(lock) {} }
        try POSIX.removeFile(path)
        return status.size
    }

    private var bundles: FilePath { root.appending("bundles") }

    private func bundleIDs() -> [Digest] {
        Digest.Algorithm.allCases.flatMap { algorithm in
            ((try? POSIX.list(bundles.appending(algorithm.rawValue))) ?? []).compactMap {
                try? Digest(parsing: "\(algorithm.rawValue):\($0)")
            }
        }
    }

    /// All complete files of a kind; others have names that are no digests.
    private func digests(in store: BlobStore) -> [Digest] {
        Digest.Algorithm.allCases.flatMap { algorithm in
            ((try? POSIX.list(store.folder.appending(algorithm.rawValue))) ?? []).compactMap {
                try? Digest(parsing: "\(algorithm.rawValue):\($0)")
            }
        }
    }

    /// Bytes below a path that have no other name.
    private static func freed(_ path: FilePath) -> Int64 {
        guard let status = try? POSIX.status(path, following: false) else { return 0 }
        if status.isDirectory {
            return ((try? POSIX.list(path)) ?? []).reduce(0) { $0 + freed(path.appending($1)) }
        }
        return status.links == 1 ? status.size : 0
    }
}

extension POSIX.Status {
    fileprivate func isOlder(_ seconds: Int64, _ now: Timestamp) -> Bool { modified < now.seconds - seconds }
}
