internal import Core
internal import NIOCore
internal import NIOHTTP1
internal import Testing

@testable internal import DockerEngine

@Suite struct HijackHeadTests {
    @Test(arguments: [
        ("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nREST", UInt(101), true, Int?.none),
        ("HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nREST", 200, true, nil),
        ("HTTP/1.1 404 Not Found\r\ncontent-length:  4\r\n\r\nREST", 404, false, 4),
        ("HTTP/1.0 500\r\n\r\nREST", 500, false, nil),
    ])
    func readsTheHeadHoweverItIsCut(text: String, status: UInt, upgraded: Bool, length: Int?) throws {
        let wire = ByteBuffer(string: text)
        for cut in 1..<wire.readableBytes {
            var head = HijackHead()
            var rest = wire
            var parsed: HijackHead.Parsed?
            var behind = ByteBuffer()
            while let piece = rest.readSlice(length: min(cut, rest.readableBytes)), piece.readableBytes > 0 {
                if parsed != nil {
                    behind.writeImmutableBuffer(piece)
                } else if let found = try head.append(piece) {
                    parsed = found
                    behind.writeImmutableBuffer(found.rest)
                }
            }
            let found = try #require(parsed)
            #expect(found.status.code == status)
            #expect(found.isUpgraded == upgraded)
            #expect(found.contentLength == length)
            #expect(String(buffer: behind) == "REST")
        }
    }

    @Test(arguments: [
        "SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 99 X\r\n\r\n", "\r\n\r\n",
        String(repeating: "x", count: 65 << 10),
    ])
    func refusesWhatIsNoHTTP(text: String) {
        var head = HijackHead()
        let failure = #expect(throws: Failure.self) { try head.append(ByteBuffer(string: text)) }
        #expect(failure?.code == .corrupted)
    }
}
