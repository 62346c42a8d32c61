internal import AsyncHTTPClient
internal import Core
internal import NIOCore
internal import NIOHTTP1
package import OCI

extension HuggingFace {
    /// Brings a file of a commit into a store, verified: by its SHA-256, or, for small ones, by git's own name for it.
    ///
    /// - Parameter progress: told the bytes that are there so far.
    /// - Returns: the blob's digest.
    /// - Throws: `.corrupted` for wrong bytes, of which none stay; what asking throws.
    package func fetch(
        _ file: HubFile, of name: HubReference, at commit: String, into store: BlobStore,
        progress: @escaping @Sendable (Int64) async throws -> Void = { _ in }
    ) async throws -> Digest {
        do {
            guard let digest = file.sha256 else { return try await fetchSmall(file, name, commit, store) }
            let remote = RemoteBlob(name: file.path, digest: digest, size: file.size) { offset, begin, take in
                try await stream(file, name, commit, from: offset, begin, take)
            }
            try await BlobDownload(remote, into: store, pause: pause).run(progress: progress)
            return digest
        } catch let failure as Failure {
            throw failure.during("cannot download \(file.path) of \(name)")
        }
    }

    private func fetchSmall(
        _ file: HubFile, _ name: HubReference, _ commit: String, _ store: BlobStore
    ) async throws -> Digest {
        guard file.size <= HubFile.maximumSmall, Digest.isHex(file.gitID.utf8, count: 40) else {
            throw Failure(.corrupted, "the hub names no digest for it")
        }
        var hash = GitBlobHash(size: file.size)
        var ingest = try Ingest(into: store)
        try await stream(file, name, commit, from: 0, { _ in }) { chunk in
            hash.update(chunk)
            try ingest.write(chunk)
        }
        guard hash.hex == file.gitID else { throw Failure(.corrupted, "its bytes are not those of \(file.gitID)") }
        return try await ingest.commit().digest
    }

    /// Hands out a file's bytes from an offset on: exactly as many as are missing.
    private func stream(
        _ file: HubFile, _ name: HubReference, _ commit: String, from offset: Int64,
        _ begin: (Int64) async throws -> Void, _ take: (ByteBuffer) async throws -> Void
    ) async throws {
        let path = "/\(name.repository)/resolve/\(commit)/\(Self.escape(file.path))"
        let response = try await get(
            WebAddress(isSecure: base.isSecure, authority: base.authority, target: path),
            headers: offset > 0 ? [("Range", "bytes=\(offset)-")] : [])
        try await check(response, name)
        var count: Int64 = 0
        if response.status == .partialContent {
            let range = response.headers.first(name: "Content-Range") ?? ""
            guard offset > 0, range.hasPrefix("bytes \(offset)-") else {
                throw Failure(.corrupted, "the hub sends another part (\(range.prefix(60))) than was asked for")
            }
            count = offset
        }
        if let length = response.headers.first(name: "Content-Length"), Int64(length) != file.size - count {
            throw Failure(.corrupted, "the hub sends \(length.prefix(20)) bytes instead of \(file.size - count)")
        }
        try await begin(count)
        var chunks = response.body.makeAsyncIterator()
        var pace = Pace()
        while true {
            let asked = ContinuousClock.now
            let chunk: ByteBuffer?
            do { chunk = try await chunks.next() } catch {
                throw Self.unreachable(error, "the connection broke after \(count) of \(file.size) bytes")
            }
            guard let chunk else { break }
            let came = ContinuousClock.now
            count += Int64(chunk.readableBytes)
            guard count <= file.size else { throw Failure(.corrupted, "the hub sends more than \(file.size) bytes") }
            try await take(chunk)
            if count < file.size {
                try pace.note(chunk.readableBytes, after: came - asked, from: "the hub")
            }
        }
        guard count == file.size else { throw Failure(.unavailable, "the hub sent \(count) of \(file.size) bytes") }
    }
}
