import Core
import NIOCore
import Testing

@testable import OCI

@Suite struct TarTests {
    private typealias Read = (entry: Tar.Entry, bytes: ByteBuffer)

    private func read(_ bytes: ByteBuffer, chunk: Int = .max) async throws -> [Read] {
        let (chunks, continuation) = AsyncStream.makeStream(
            of: ByteBuffer.self, bufferingPolicy: .bufferingOldest(1 << 16))
        var rest = bytes
        while let piece = rest.readSlice(length: min(chunk, rest.readableBytes)), piece.readableBytes > 0 {
            continuation.yield(piece)
        }
        continuation.finish()
        var tar = TarStream(chunks.makeAsyncIterator())
        var result: [Read] = []
        while let entry = try await tar.entry() {
            var content = ByteBuffer()
            while let data = try await tar.data() { content.writeImmutableBuffer(data) }
            result.append((entry, content))
        }
        return result
    }

    private func archive(_ entries: [(Tar.Entry, String)], ended: Bool = true) -> ByteBuffer {
        var bytes = ByteBuffer()
        for (entry, content) in entries {
            bytes.writeImmutableBuffer(Tar.head(entry))
            bytes.writeString(content)
            bytes.writeImmutableBuffer(Tar.padding(after: Int64(content.utf8.count)))
        }
        if ended { bytes.writeImmutableBuffer(Tar.end) }
        return bytes
    }

    @Test(arguments: [1, 7, 511, 512, 513, 4096, Int.max]) func whatIsWrittenIsReadInPiecesOfAnySize(_ chunk: Int)
        async throws
    {
        let long = String(repeating: "x", count: 150)
        let entries: [(Tar.Entry, String)] = [
            (Tar.Entry(name: "blobs/", size: 0, isDirectory: true), ""),
            (Tar.Entry(name: "empty", size: 0), ""),
            (Tar.Entry(name: "text", size: 5, records: ["comment": "of = things\nand more"]), "hello"),
            (Tar.Entry(name: long, size: 512), String(repeating: "y", count: 512)),
        ]
        let all = try await read(archive(entries), chunk: chunk)
        #expect(all.map(\.entry.name) == ["blobs/", "empty", "text", long])
        #expect(all.map { String(buffer: $0.bytes) } == entries.map(\.1))
        #expect(all.map(\.entry.isDirectory) == [true, false, false, false])
        #expect(all[2].entry.records["comment"] == "of = things\nand more")
        // Records are for one entry.
        #expect(all[3].entry.records["comment"] == nil)
    }

    @Test func bytesThatAreLeftOutNeedNotCome() throws {
        let whole = archive([
            (Tar.Entry(name: "a", size: 2000), String(repeating: "a", count: 2000)),
            (Tar.Entry(name: "b", size: 1), "b"),
        ])
        var reader = TarReader()
        reader.append(try #require(whole.getSlice(at: 0, length: 600)))
        #expect(try reader.next() == .entry(Tar.Entry(name: "a", size: 2000)))
        #expect(reader.skip() == 2000 - 88)
        #expect(reader.skip() == 0)
        #expect(try reader.next() == nil)
        reader.append(try #require(whole.getSlice(at: 2512, length: whole.readableBytes - 2512)))
        #expect(try reader.next() == .entry(Tar.Entry(name: "b", size: 1)))
        #expect(reader.skip() == 0)
        #expect(try reader.next() == nil)
        try reader.finish()
    }

    @Test func aSizeBeyondOctalGoesIntoARecord() throws {
        let size: Int64 = 20 << 30
        var reader = TarReader()
        reader.append(Tar.head(Tar.Entry(name: "big", size: size)))
        guard case .entry(let entry) = try reader.next() else {
            Issue.record("no entry")
            return
        }
        #expect(entry.size == size && entry.name == "big")
        #expect(try reader.next() == nil)
        #expect(throws: Failure.self) { try reader.finish() }
        #expect(Tar.head(Tar.Entry(name: "big", size: (8 << 30) - 1)).readableBytes == 512)
    }

    /// A header with some of its bytes replaced, its checksum made right again.
    private func header(_ changes: [(Int, [UInt8])], fixed: Bool = true) -> ByteBuffer {
        var bytes = Array(Tar.head(Tar.Entry(name: "file", size: 3)).readableBytesView)
        for (place, new) in changes { bytes.replaceSubrange(place..<place + new.count, with: new) }
        if fixed {
            let sum = String(Tar.checksum(bytes), radix: 8)
            bytes.replaceSubrange(148..<154, with: Array((String(repeating: "0", count: 6 - sum.count) + sum).utf8))
        }
        return ByteBuffer(bytes: bytes + Array("abc".utf8) + [UInt8](repeating: 0, count: 509))
    }

    @Test func gnusBinarySizesAreUnderstood() async throws {
        let bytes = header([(124, [0x80] + [UInt8](repeating: 0, count: 10) + [3])])
        #expect(try await read(bytes).first?.entry.size == 3)
    }

    @Test(
        arguments: [
            ("link", 156, Array("1".utf8)), ("symbolic link", 156, Array("2".utf8)), ("device", 156, Array("3".utf8)),
            ("pipe", 156, Array("6".utf8)), ("sparse", 156, Array("S".utf8)), ("long name", 156, Array("L".utf8)),
            ("negative size", 124, [UInt8](repeating: 0xFF, count: 12)),
            ("huge size", 124, [0x80, 0, 0, 0, 0x7F] + [UInt8](repeating: 0xFF, count: 7)),
            ("no number", 124, Array("99999999999".utf8)), ("magic", 257, Array("rats!".utf8)),
        ] as [(String, Int, [UInt8])]) func hostileHeadsAreRefused(_ what: String, _ place: Int, _ bytes: [UInt8]) async
    {
        await #expect(throws: Failure.self, "\(what)") { try await read(header([(place, bytes)])) }
    }

    @Test func aWrongChecksumIsRefused() async {
        await #expect(throws: Failure.self) { try await read(header([(0, Array("g".utf8))], fixed: false)) }
    }

    @Test func everyCutIsNoticedButThatBetweenEntries() async throws {
        let whole = archive(
            [(Tar.Entry(name: "a", size: 3), "abc"), (Tar.Entry(name: "b", size: 1), "x")], ended: false)
        for length in stride(from: 1, to: whole.readableBytes, by: 1) where length % 1024 != 0 {
            let cut = try #require(whole.getSlice(at: 0, length: length))
            await #expect(throws: Failure.self, "\(length)") { try await read(cut) }
        }
        #expect(try await read(whole).count == 2)
    }

    @Test(arguments: ["5 a=b\n", "x a=b\n", "6 ab\n\n", "7 a=bc", "99 a=b\n", "2 \n", "18 size=9999999999999999999\n"])
    func badRecordsAreRefused(_ text: String) async {
        let size = String(text.utf8.count, radix: 8)
        let field = Array((String(repeating: "0", count: 11 - size.count) + size).utf8)
        var bytes = header([(156, Array("x".utf8)), (124, field)])
        bytes.moveWriterIndex(to: 512)
        bytes.writeString(text)
        bytes.writeImmutableBuffer(Tar.padding(after: Int64(text.utf8.count)))
        bytes.writeImmutableBuffer(header([]))
        let archive = bytes
        await #expect(throws: Failure.self) { try await read(archive) }
    }
}
