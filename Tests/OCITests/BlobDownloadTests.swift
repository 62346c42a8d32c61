import Core
import NIOCore
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import OCI

@Suite struct BlobDownloadTests {
    /// What a sender does when it is asked.
    private enum Answer: Sendable {
        /// Sends this many of the bytes asked for, then the connection breaks.
        case breaksAfter(Int)
        case ends
        /// Knows no ranges.
        case startsAnew
        case startsAt(Int64)
        case refuses(Failure.Code)
    }

    /// A sender that does one thing after another, and all that is asked for at last.
    private final class Sender: Sendable {
        let bytes: ByteBuffer
        private let answers: Mutex<[Answer]>
        let asked = Mutex<[Int64]>([])
        let sent = Mutex<Int>(0)

        init(_ bytes: ByteBuffer, _ answers: [Answer] = []) {
            self.bytes = bytes
            self.answers = Mutex(answers)
        }

        func source(_ digest: Digest? = nil) -> RemoteBlob {
            RemoteBlob(
                name: "x", digest: digest ?? .sha256(of: bytes), size: Int64(bytes.readableBytes)
            ) { offset, begin, take in
                self.asked.withLock { $0.append(offset) }
                var start = offset
                var limit = Int.max
                switch self.answers.withLock({ $0.isEmpty ? .ends : $0.removeFirst() }) {
                case .ends: break
                case .breaksAfter(let count): limit = count
                case .startsAnew: start = 0
                case .startsAt(let place): start = place
                case .refuses(let code): throw Failure(code, "refused")
                }
                try await begin(start)
                var rest = self.bytes
                rest.moveReaderIndex(forwardBy: Int(start))
                while limit > 0, let chunk = rest.readSlice(length: min(limit, rest.readableBytes, 70_000)),
                    chunk.readableBytes > 0
                {
                    limit -= chunk.readableBytes
                    self.sent.withLock { $0 += chunk.readableBytes }
                    try await take(chunk)
                }
                if rest.readableBytes > 0 { throw Failure(.unavailable, "the connection broke") }
            }
        }
    }

    private static let size = 3_000_000

    private static func random(_ count: Int = size, seed: UInt64 = 1) -> ByteBuffer {
        var random = SeededRandom(seed)
        var bytes = ByteBuffer()
        for _ in 0..<(count / 8) { bytes.writeInteger(UInt64.random(in: .min ... .max, using: &random)) }
        return bytes
    }

    private struct Outcome {
        var failure: Failure?
        var pauses: [Duration] = []
        var progress: [Int64] = []
        /// Names in the folder of blobs.
        var files: [String] = []
    }

    /// - Parameter left: what an earlier attempt has left.
    private func download(_ sender: Sender, digest: Digest? = nil, left: ByteBuffer? = nil) async throws -> Outcome {
        let folder = try Files.makeTemporaryDirectory(prefix: "wharf-download-")
        defer { try? Files.remove(folder) }
        let store = BlobStore(root: folder)
        let source = sender.source(digest)
        if let left {
            let path = PartialBlob.path(of: source.digest, in: store)
            try Files.makeDirectory(path.removingLastComponent())
            try Files.write(left, to: path)
        }
        let pauses = Mutex<[Duration]>([])
        let progress = Mutex<[Int64]>([])
        var outcome = Outcome()
        do {
            try await BlobDownload(source, into: store) { pause in pauses.withLock { $0.append(pause) } }
                .run { count in progress.withLock { $0.append(count) } }
            #expect(try store.read(source.digest) == sender.bytes)
        } catch let failure as Failure { outcome.failure = failure }
        outcome.pauses = pauses.withLock { $0 }
        outcome.progress = progress.withLock { $0 }
        outcome.files = try POSIX.list(folder.appending("blobs/sha256"))
        #expect(outcome.progress == outcome.progress.sorted(), "progress never goes back")
        return outcome
    }

    @Test func goesOnWhereTheConnectionBroke() async throws {
        let sender = Sender(
            Self.random(), [.breaksAfter(1_200_000), .breaksAfter(0), .breaksAfter(7), .breaksAfter(0)])
        let outcome = try await download(sender)
        #expect(outcome.failure == nil, "\(outcome.failure?.description ?? "")")
        #expect(sender.asked.withLock { $0 } == [0, 1_200_000, 1_200_000, 1_200_007, 1_200_007])
        #expect(sender.sent.withLock { $0 } == Self.size, "no byte is sent twice")
        // Bytes that came begin the pauses anew.
        #expect(outcome.pauses == [.seconds(1), .seconds(2), .seconds(1), .seconds(2)])
        #expect(outcome.progress.last == Int64(Self.size))
        #expect(outcome.files.count == 1)
    }

    @Test func givesUpWhenNothingComesAnyMoreAndKeepsWhatCame() async throws {
        let sender = Sender(Self.random(), [.breaksAfter(1_100_000)] + Array(repeating: .breaksAfter(0), count: 9))
        let outcome = try await download(sender)
        #expect(outcome.failure?.code == .unavailable)
        #expect(outcome.pauses == [.seconds(1), .seconds(2), .seconds(4), .seconds(8)])
        #expect(outcome.files.map { $0.hasSuffix(".incomplete") } == [true])
    }

    @Test(arguments: [0, 1, 1_000_000, 2_999_999, 3_000_000])
    func whatAnEarlierAttemptLeftIsNotAskedForAgain(count: Int) async throws {
        let bytes = Self.random()
        let sender = Sender(bytes)
        let outcome = try await download(sender, left: bytes.getSlice(at: 0, length: count))
        #expect(outcome.failure == nil)
        #expect(sender.sent.withLock { $0 } == Self.size - count)
        #expect(sender.asked.withLock { $0 } == (count == Self.size ? [] : [Int64(count)]))
    }

    @Test(arguments: [Self.random(500_000, seed: 2), Self.random(Self.size, seed: 2), Self.random(4_000_000, seed: 2)])
    func whatAnEarlierAttemptLeftMayBeWrong(left: ByteBuffer) async throws {
        let sender = Sender(Self.random())
        let outcome = try await download(sender, left: left)
        #expect(outcome.failure == nil, "\(outcome.failure?.description ?? "")")
        #expect(sender.asked.withLock { $0.last } == 0)
        #expect(outcome.files.count == 1)
    }

    @Test func aSenderThatKnowsNoRangesBeginsAnew() async throws {
        let sender = Sender(Self.random(), [.breaksAfter(1_500_000), .startsAnew])
        let outcome = try await download(sender)
        #expect(outcome.failure == nil)
        #expect(sender.sent.withLock { $0 } == Self.size + 1_500_000)
    }

    @Test func otherBytesThanWereAskedForAreRefused() async throws {
        let outcome = try await download(Sender(Self.random(), [.breaksAfter(1_500_000), .startsAt(1_000_000)]))
        #expect(outcome.failure?.code == .corrupted)
        #expect(outcome.files.isEmpty)
    }

    @Test func wrongBytesLeaveNothing() async throws {
        let outcome = try await download(Sender(Self.random()), digest: .sha256(of: Self.random(seed: 3)))
        #expect(outcome.failure?.code == .corrupted)
        #expect(outcome.files.isEmpty)
    }

    @Test(arguments: [Failure.Code.notFound, .unauthorized, .corrupted])
    func aRefusalIsFinal(code: Failure.Code) async throws {
        let sender = Sender(Self.random(), [.refuses(code)])
        let outcome = try await download(sender)
        #expect(outcome.failure?.code == code)
        #expect(sender.asked.withLock { $0.count } == 1)
        #expect(outcome.pauses.isEmpty)
    }

    /// Whatever a peer answers, hours of work are not thrown away for it.
    @Test(arguments: [Failure.Code.resourceExhausted, .corrupted, .unauthorized, .notFound, .unavailable])
    func aRefusalKeepsWhatAnEarlierAttemptLeft(code: Failure.Code) async throws {
        let bytes = Self.random()
        let sender = Sender(bytes, Array(repeating: .refuses(code), count: 9))
        let outcome = try await download(sender, left: bytes.getSlice(at: 0, length: 1_700_000))
        #expect(outcome.failure?.code == code)
        #expect(outcome.files.map { $0.hasSuffix(".incomplete") } == [true])
    }

    @Test func cancelledWhileItIsLookedThroughItStaysToo() async throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "wharf-download-")
        defer { try? Files.remove(folder) }
        let store = BlobStore(root: folder)
        let bytes = Self.random()
        let sender = Sender(bytes)
        let path = PartialBlob.path(of: .sha256(of: bytes), in: store)
        try Files.makeDirectory(path.removingLastComponent())
        try Files.write(bytes.getSlice(at: 0, length: 2_000_000) ?? ByteBuffer(), to: path)
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await BlobDownload(sender.source(), into: store).run { _ in }
        }
        await #expect(throws: (any Error).self) { try await task.value }
        #expect(try POSIX.status(path).size == 2_000_000)
    }

    @Test func severalAtOnceShareTheWork() async throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "wharf-download-")
        defer { try? Files.remove(folder) }
        let store = BlobStore(root: folder)
        let sender = Sender(Self.random())
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask { try await BlobDownload(sender.source(), into: store).run { _ in } }
            }
            try await group.waitForAll()
        }
        #expect(sender.sent.withLock { $0 } == Self.size)
        #expect(try POSIX.list(folder.appending("blobs/sha256")).count == 1)
    }

    /// The one that did the work leaves; who waited goes on where it was.
    @Test func aWaiterTakesOver() async throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "wharf-download-")
        defer { try? Files.remove(folder) }
        let store = BlobStore(root: folder)
        let bytes = Self.random()
        let (arrived, never) = (Promise<Void>(), Promise<Void>())
        let stuck = RemoteBlob(name: "x", digest: .sha256(of: bytes), size: Int64(Self.size)) { _, begin, take in
            try await begin(0)
            try await take(bytes.getSlice(at: 0, length: 1_200_000) ?? ByteBuffer())
            arrived.fulfil(.success(()))
            try await never.value
        }
        let sender = Sender(bytes)
        let first = Task { try await BlobDownload(stuck, into: store).run { _ in } }
        try await arrived.value
        let second = Task { try await BlobDownload(sender.source(), into: store).run { _ in } }
        first.cancel()
        _ = await first.result
        try await second.value
        #expect(sender.asked.withLock { $0 } == [1_200_000])
        #expect(try store.read(.sha256(of: bytes)) == bytes)
    }
}
