internal import AsyncAlgorithms
internal import Core
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// Brings a blob into a store, whatever happens on the way: goes on where an earlier attempt of any process has ended,
/// asks again when the connection breaks, and shares the work with whoever wants the same blob at the same time.
package struct BlobDownload: Sendable {
    private let source: RemoteBlob
    private let store: BlobStore
    private static let progress: Int64 = 1 << 20

    private let retries = RetryPolicy()
    private let pause: @Sendable (Duration) async throws -> Void

    /// - Parameter pause: waits between attempts.
    package init(
        _ source: RemoteBlob, into store: BlobStore,
        pause: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        self.source = source
        self.store = store
        self.pause = pause
    }

    /// - Parameter progress: told the bytes that are there so far; they never become fewer.
    /// - Throws: `.corrupted` for wrong bytes, of which none stay; `.resourceExhausted` on a full disk; what the source
    ///   throws. What has come before a break stays for the next attempt.
    package func run(progress: @escaping @Sendable (Int64) async throws -> Void) async throws {
        let shown = HighWater(progress)
        guard let partial = try await take(shown) else { return try await shown.reached(source.size) }
        do {
            try await fill(partial, shown)
        } catch {
            partial.removeIfEmpty()
            throw error
        }
    }

    /// Waits until nobody else writes the blob.
    ///
    /// - Returns: nil when it is complete.
    private func take(_ shown: HighWater) async throws -> PartialBlob? {
        while !store.contains(source.digest, size: source.size) {
            if let partial = try PartialBlob(source.digest, size: source.size, in: store) {
                // Completed by somebody else just before it was locked.
                if !store.contains(source.digest, size: source.size) { return partial }
                partial.remove()
                return nil
            }
            if let status = try? POSIX.status(PartialBlob.path(of: source.digest, in: store)) {
                try await shown.reached(min(status.size, source.size))
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        return nil
    }

    private func fill(_ partial: PartialBlob, _ shown: HighWater) async throws {
        let isCancelled = Mutex(false)
        try await withTaskCancellationHandler {
            try await blocking { try partial.resume { isCancelled.withLock { $0 } } }
        } onCancel: {
            isCancelled.withLock { $0 = true }
        }
        // What is left of earlier attempts may be wrong without the sender's fault.
        let earlier = partial.count
        var mayRestart = earlier > 0
        try requireSpace(source.size - partial.count)
        while true {
            do { try await complete(partial, shown) } catch let failure as Failure
                where failure.code == .corrupted && earlier == 0
            {
                // All of it came from a sender that does not keep to what it has announced.
                partial.remove()
                throw failure
            }
            if try await blocking({ try partial.commit() }) { return }
            guard mayRestart else {
                partial.remove()
                throw Failure(.corrupted, "the bytes of \(source.digest) are not those, they have another digest")
            }
            mayRestart = false
            try partial.restart()
        }
    }

    /// Asks for what is missing until nothing is, with pauses where nothing comes.
    private func complete(_ partial: PartialBlob, _ shown: HighWater) async throws {
        var attempt = 0
        while partial.count < source.size {
            let before = partial.count
            do {
                try await transfer(to: partial, shown)
            } catch let failure as Failure where [.unavailable, .timedOut].contains(failure.code) {
                let isLate = failure.code == .timedOut
                // Of a sender that trickles, a little is no progress.
                if partial.count - before > (isLate ? Self.progress : 0) { attempt = 0 }
                guard let wait = retries.delay(after: attempt, isTransient: true, isLate: isLate) else { throw failure }
                try await pause(wait)
                attempt += 1
            }
        }
    }

    /// One connection: bytes are taken from it while those before are hashed and written.
    private func transfer(to partial: PartialBlob, _ shown: HighWater) async throws {
        // Hands over without a buffer, so that three batches exist at the most.
        let batches = AsyncChannel<[ByteBuffer]>()
        let broken = Promise<Void>()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    for await batch in batches { try await shown.reached(store(batch, in: partial)) }
                } catch {
                    broken.fulfil(.failure(error))
                    batches.finish()
                }
            }
            var batch = Batch()
            let outcome: Result<Void, any Error>
            do {
                try await source.read(partial.count) { offset in
                    guard offset != partial.count else { return }
                    guard offset == 0 else { throw Failure(.corrupted, "bytes from \(offset) on were not asked for") }
                    try partial.restart()
                } _: { bytes in
                    if case .failure(let error)? = broken.current { throw error }
                    if let full = batch.append(bytes) { await batches.send(full) }
                }
                outcome = .success(())
            } catch { outcome = .failure(error) }
            // Also when the connection broke: what has come is not asked for again.
            if !batch.isEmpty { await batches.send(batch.take()) }
            batches.finish()
            try await group.waitForAll()
            if case .failure(let error)? = broken.current {
                // A disk that is full has better uses for what cannot become whole.
                if (error as? Failure)?.code == .resourceExhausted { partial.remove() }
                throw error
            }
            try outcome.get()
        }
    }

    /// Writes and hashes at the same time: either takes half of what a processor can do while a fast connection is read.
    ///
    /// Not to be cancelled: what has come is not asked for again.
    private func store(_ batch: [ByteBuffer], in partial: PartialBlob) async throws -> Int64 {
        let (pool, loop) = (NIOThreadPool.singleton, MultiThreadedEventLoopGroup.singleton.any())
        let hashed = pool.runIfActive(eventLoop: loop) { partial.hash(batch) }
        let written = pool.runIfActive(eventLoop: loop) { try partial.write(batch) }
        return try await written.and(hashed).get().0
    }

    /// Better said before the first byte than after an hour.
    private func requireSpace(_ count: Int64) throws {
        guard let available = POSIX.freeSpace(at: store.folder), available < count else { return }
        throw Failure(
            .resourceExhausted,
            "\(source.name) needs \(ByteCount(count)) more, and \(store.folder) has room for "
                + "\(ByteCount(available))", advice: "Make room, or keep models elsewhere with MODELS_PATH")
    }

    /// Writing waits for the disk, which the few threads that run tasks do not have the time for.
    private func blocking<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        try await NIOThreadPool.singleton.runIfActive(body)
    }
}

/// Bytes that are written together.
private struct Batch {
    private static let enough = 768 << 10

    private var chunks: [ByteBuffer] = []
    private var count = 0

    var isEmpty: Bool { chunks.isEmpty }

    /// - Returns: all of them when they are enough.
    mutating func append(_ bytes: ByteBuffer) -> [ByteBuffer]? {
        chunks.append(bytes)
        count += bytes.readableBytes
        return count >= Self.enough ? take() : nil
    }

    mutating func take() -> [ByteBuffer] {
        defer { (chunks, count) = ([], 0) }
        return chunks
    }
}
