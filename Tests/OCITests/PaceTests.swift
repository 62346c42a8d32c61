import Core
import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import OCI

/// Who is given up for being slow.
@Suite struct PaceTests {
    /// Pieces, each with the seconds it was waited for; whether the last one is one too few.
    @Test(
        arguments: [
            ([(1, 60)], true), ([(1, 59)], false), ([(65_536, 60)], false), ([(65_535, 60)], true),
            ([(1, 30), (1, 29)], false), ([(1, 30), (1, 30)], true), ([(70_000, 1), (1, 59)], false),
            // What came in an earlier window is no help.
            ([(1 << 30, 60), (1, 60)], true),
            // Fast pieces take no time at all.
            ([(1, 0), (1, 0), (1, 0)], false),
        ] as [([(Int, Int)], Bool)])
    func aMinimumInEveryMinute(pieces: [(Int, Int)], isGivenUp: Bool) throws {
        var pace = Pace()
        for (count, seconds) in pieces.dropLast() { try pace.note(count, after: .seconds(seconds), from: "x") }
        let last = pieces[pieces.count - 1]
        do {
            try pace.note(last.0, after: .seconds(last.1), from: "x")
            #expect(!isGivenUp)
        } catch let failure as Failure {
            #expect(isGivenUp && failure.code == .timedOut)
        }
    }

    @Test func aRegistryThatTricklesIsAskedOnceMoreAndWhatCameIsKept() async throws {
        let digest = Digest.sha256(of: ByteBuffer(string: "never sent whole"))
        try await withScript { server, registry, _ in
            server.answer { request in
                let start = request.header("Range").flatMap { Int($0.dropFirst(6).dropLast()) } ?? 0
                let head = start > 0 ? "206 Partial Content" : "200 OK"
                return .raw(
                    "HTTP/1.1 \(head)\r\nContent-Length: \(9000 - start)\r\n"
                        + "Content-Range: bytes \(start)-8999/9000\r\n\r\ntrickle")
            }
            var registry = registry
            // Every piece comes a minute after it was asked for.
            let clock = Mutex(ContinuousClock.now)
            registry.now = {
                clock.withLock {
                    $0 += .seconds(61); return $0
                }
            }
            let slow = registry
            try await withTemporaryDirectory { folder in
                let failure = await #expect(throws: Failure.self) {
                    try await slow.fetchBlob(
                        Descriptor(mediaType: MediaType.gguf, digest: digest, size: 9000),
                        in: Reference(parsing: "\(server.address)/ai/x"), into: BlobStore(root: folder))
                }
                #expect(failure?.code == .timedOut)
                #expect(
                    failure?.message.contains("\(server.address) has sent only 7B in 61 s") == true,
                    "\(String(describing: failure))")
                #expect(server.requests.map { $0.header("Range") } == [nil, "bytes=7-"])
                let left = try files(folder)
                #expect(left.count == 1 && left[0].hasSuffix(".incomplete"))
            }
        }
    }
}
