internal import Core
internal import NIOCore
internal import TestSupport
internal import Testing

@testable internal import DockerEngine

@Suite struct StdFrameTests {
    /// Whatever the pieces in which the bytes come, each stream's bytes come out whole and in order.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func takesStreamsApart(seed: UInt64) throws {
        var random = SeededRandom(seed)
        var wire = ByteBuffer()
        var expected: [(StdFrame.Stream, [UInt8])] = []
        for _ in 0..<Int.random(in: 1...12, using: &random) {
            let stream: StdFrame.Stream = Bool.random(using: &random) ? .stdout : .stderr
            let bytes = (0..<Int.random(in: 0...300, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            wire.writeBytes([stream.rawValue, 0, 0, 0])
            wire.writeInteger(UInt32(bytes.count))
            wire.writeBytes(bytes)
            expected.append((stream, bytes))
        }
        var demultiplexer = StdFrame.Demultiplexer()
        var frames: [StdFrame] = []
        while wire.readableBytes > 0 {
            let length = min(wire.readableBytes, Int.random(in: 1...64, using: &random))
            let piece = wire.readSlice(length: length)
            frames += try demultiplexer.append(try #require(piece))
        }
        #expect(joined(frames.map { ($0.stream, Array($0.bytes.readableBytesView)) }) == joined(expected))
    }

    @Test func passesOnPartsOfAHugeFrameAsTheyCome() throws {
        var demultiplexer = StdFrame.Demultiplexer()
        var header = ByteBuffer(bytes: [1, 0, 0, 0])
        header.writeInteger(UInt32.max)
        #expect(try demultiplexer.append(header) == [])
        for _ in 0..<3 {
            #expect(
                try demultiplexer.append(ByteBuffer(string: "part")) == [
                    StdFrame(stream: .stdout, bytes: ByteBuffer(string: "part"))
                ])
        }
    }

    @Test(
        arguments: [
            [0, 0, 0, 0, 0, 0, 0, 1], [3, 0, 0, 0, 0, 0, 0, 1], [1, 0, 0, 1, 0, 0, 0, 1], Array("HTTP/1.1".utf8),
        ] as [[UInt8]])
    func refusesAHeaderThatIsNone(header: [UInt8]) {
        var demultiplexer = StdFrame.Demultiplexer()
        let failure = #expect(throws: Failure.self) { try demultiplexer.append(ByteBuffer(bytes: header)) }
        #expect(failure?.code == .corrupted)
    }

    /// Runs of the same stream joined, empty ones left out: what a reader of the streams can tell.
    private func joined(_ pieces: [(StdFrame.Stream, [UInt8])]) -> [String] {
        pieces.reduce(into: [(StdFrame.Stream, [UInt8])]()) { result, piece in
            guard !piece.1.isEmpty else { return }
            if let last = result.last, last.0 == piece.0 {
                result[result.count - 1].1 += piece.1
            } else {
                result.append(piece)
            }
        }.map { "\($0.0) \($0.1)" }
    }
}
