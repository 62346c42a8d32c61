import Core
import NIOCore
import TestSupport
import Testing

@Suite struct LineSplitterTests {
    @Test(arguments: 1...10) func linesDoNotDependOnHowBytesArrive(_ seed: UInt64) throws {
        var random = SeededRandom(seed)
        let text = "one\ntwo\r\n\nfour is longer\nlast"
        var splitter = LineSplitter(maximumLength: 100)
        var lines: [String] = []
        var rest = text[...]
        while !rest.isEmpty {
            let chunk = rest.prefix(Int.random(in: 1...5, using: &random))
            rest = rest.dropFirst(chunk.count)
            lines += try splitter.append(ByteBuffer(substring: chunk)).map { String(buffer: $0) }
        }
        #expect(lines == ["one", "two", "", "four is longer"])
        #expect(splitter.finish().map { String(buffer: $0) } == "last")
        #expect(splitter.finish() == nil)
    }

    @Test(arguments: [1, 3, 5, 100]) func longLinesAreBrokenWhereThatIsWanted(_ chunk: Int) throws {
        var splitter = LineSplitter(maximumLength: 5, breaksLongLines: true)
        var lines: [String] = []
        var bytes = ByteBuffer(string: "ab\n0123456789xyz\n12345\r\nlast and more")
        while bytes.readableBytes > 0 {
            let slice = bytes.readSlice(length: min(chunk, bytes.readableBytes)) ?? ByteBuffer()
            lines += try splitter.append(slice).map { String(buffer: $0) }
        }
        #expect(lines == ["ab", "01234", "56789", "xyz", "12345", "", "last ", "and m"])
        #expect(splitter.finish().map { String(buffer: $0) } == "ore")
    }

    @Test func aLineWithoutEndIsRefused() {
        var splitter = LineSplitter(maximumLength: 10)
        #expect(throws: Failure.self) {
            for _ in 0..<3 { _ = try splitter.append(ByteBuffer(string: "12345")) }
        }
    }
}

@Suite struct SSETests {
    private func events(_ text: String, chunk: Int) throws -> [SSE.Event] {
        var parser = SSE.Parser()
        var events: [SSE.Event] = []
        var bytes = ByteBuffer(string: text)
        while bytes.readableBytes > 0 {
            let slice = bytes.readSlice(length: min(chunk, bytes.readableBytes)) ?? ByteBuffer()
            events += try parser.append(slice)
        }
        return events
    }

    @Test(arguments: [1, 2, 7, 1000]) func parses(_ chunk: Int) throws {
        let text = ": comment\n\ndata: a\ndata: b\n\nevent: x\nid: 7\ndata:{}\n\r\nevent: none\n\ndata: cut off"
        #expect(
            try events(text, chunk: chunk) == [
                SSE.Event(data: "a\nb"), SSE.Event(name: "x", data: "{}", id: "7"),
            ])
    }

    @Test func anEventIsBounded() {
        var parser = SSE.Parser(maximumEvent: 100)
        #expect(throws: Failure.self) {
            for _ in 0..<20 { _ = try parser.append(ByteBuffer(string: "data: 0123456789\n")) }
        }
    }
}
