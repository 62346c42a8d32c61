internal import Core
internal import Hub
internal import NIOCore
internal import NIOPosix
internal import OCI
internal import SystemPackage

extension ModelStore {
    /// What taking a model over came to.
    package struct Imported: Sendable {
        package let model: Model
        /// Bytes that both tools share now.
        package let linked: Int64
        /// Bytes that were copied, because the file systems differ or do not allow it otherwise.
        package let copied: Int64
    }

    /// Takes over a model that another tool keeps: every file is checked, then linked, so that it takes no more space.
    ///
    /// - Throws: `.corrupted` for a file whose bytes are not what its name says; `.notFound` for one that is gone.
    package func take(_ foreign: ForeignModel) async throws -> Imported {
        let tag = try Self.tagName(foreign.name)
        var parts: [ModelAssembly.Part] = []
        var leases: [BlobLease] = []
        defer { withExtendedLifetime(leases) {} }
        var (linked, copied) = (Int64(0), Int64(0))
        var newest = Timestamp(seconds: 0)
        for file in foreign.files {
            let (digest, status) = try await Self.check(file)
            leases.append(try lease([digest]))
            if try await put(file.source, status, digest) { linked += status.size } else { copied += status.size }
            if file.role == .gguf || file.role == .safetensors {
                newest = max(newest, Timestamp(seconds: status.modified))
            }
            if let role = file.role {
                parts.append(.init(role: role, path: file.path, digest: digest, size: status.size))
            }
        }
        let manifest =
            switch foreign.kind {
            case .artifact(let manifest): try Self.checked(manifest)
            case .files(let origin):
                try ModelAssembly(parts: parts, created: newest, origin: origin).manifest(in: blobs)
            }
        guard let model = try register(manifest, tag: tag) else {
            throw Failure(.conflict, "the files of \(foreign.name.display) were removed while it was imported")
        }
        return Imported(model: model, linked: linked, copied: copied)
    }

    private static func checked(_ manifest: Manifest) throws -> Manifest {
        try BundlePlan.check(manifest)
        return manifest
    }

    /// Reads a file through, and compares it with what it must be.
    private static func check(_ file: ForeignModel.File) async throws -> (Digest, POSIX.Status) {
        let before = try Files.wrap("cannot read \(file.source)") { try POSIX.status(file.source) }
        var hasher = Digest.Hasher()
        var git = GitBlobHash(size: before.size)
        for try await chunk in FileChunks(file.source) {
            hasher.update(chunk)
            if case .git = file.check { git.update(chunk) }
        }
        let digest = hasher.finalize()
        let isRight =
            switch file.check {
            case .sha256(let expected): digest == expected
            case .git(let expected): git.hex == expected
            }
        let after = try Files.wrap("cannot read \(file.source)") { try POSIX.status(file.source) }
        guard isRight, after.size == before.size, after.inode == before.inode, after.modified == before.modified else {
            throw Failure(
                .corrupted, "\(file.source) is not what its name says",
                advice: "Remove it there and download the model again")
        }
        return (digest, after)
    }

    /// Gives a checked file its place in the store.
    ///
    /// - Returns: whether it is a link and takes no space of its own.
    private func put(_ source: FilePath, _ status: POSIX.Status, _ digest: Digest) async throws -> Bool {
        let target = blobs.path(of: digest)
        if blobs.contains(digest, size: status.size) { return try POSIX.status(target).inode == status.inode }
        let folder = target.removingLastComponent()
        try Files.makeDirectory(folder)
        let temporary = folder.appending("\(digest.hex).\(Files.unique()).incomplete")
        do {
            try POSIX.link(source, to: temporary)
        } catch let error as Errno where Self.isNoLink(error) {
            var ingest = try Ingest(into: blobs, expecting: (digest, status.size))
            for try await chunk in FileChunks(source) { try ingest.write(chunk) }
            try await ingest.commit()
            return false
        }
        do {
            try await NIOThreadPool.singleton.runIfActive {
                try Files.wrap("cannot store \(target)") {
                    try POSIX.rename(temporary, to: target)
                    try Files.synchronizeDirectory(folder)
                }
            }
        } catch {
            try? POSIX.removeFile(temporary)
            throw error
        }
        return true
    }

    /// Another file system, one without links, or a file that is not ours to link.
    private static func isNoLink(_ error: Errno) -> Bool {
        [.improperLink, .notPermitted, .permissionDenied, .notSupported, .tooManyLinks].contains(error)
    }
}
