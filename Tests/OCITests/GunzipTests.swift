import Core
import NIOCore
import TestSupport
import Testing

@testable import OCI

@Suite struct GunzipTests {
    private func unpack(_ bytes: ByteBuffer, piece: Int = .max) throws -> ByteBuffer {
        let gunzip = try Gunzip()
        var (rest, result) = (bytes, ByteBuffer())
        while let chunk = rest.readSlice(length: min(piece, rest.readableBytes)), chunk.readableBytes > 0 {
            gunzip.append(chunk)
            while let plain = try gunzip.next() {
                #expect(plain.readableBytes <= 256 << 10)
                result.writeImmutableBuffer(plain)
            }
        }
        try gunzip.finish()
        return result
    }

    private static let sample: ByteBuffer = {
        var random = SeededRandom(3)
        var bytes = ByteBuffer(repeating: 7, count: 900_000)
        for _ in 0..<5000 { bytes.writeInteger(UInt64.random(in: .min ... .max, using: &random)) }
        return bytes
    }()

    @Test(arguments: [1000, 4096, 65_537, Int.max]) func whatIsPackedIsUnpacked(_ piece: Int) throws {
        #expect(try unpack(gzip(Self.sample), piece: piece) == Self.sample)
        #expect(try unpack(gzip(ByteBuffer()), piece: piece).readableBytes == 0)
    }

    @Test func byteByByte() throws {
        #expect(try String(buffer: unpack(gzip(ByteBuffer(string: "hello")), piece: 1)) == "hello")
    }

    @Test func membersFollowOneAnotherAndZerosTheLast() throws {
        var bytes = gzip(ByteBuffer(string: "one "))
        bytes.writeImmutableBuffer(gzip(ByteBuffer(string: "two")))
        bytes.writeRepeatingByte(0, count: 700)
        for piece in [1, 13, Int.max] { #expect(try String(buffer: unpack(bytes, piece: piece)) == "one two") }
    }

    @Test func damageIsNoticed() throws {
        let packed = gzip(Self.sample)
        for length in [0, 5, 10, 11, packed.readableBytes / 2, packed.readableBytes - 1] {
            let cut = try #require(packed.getSlice(at: 0, length: length))
            #expect(throws: Failure.self, "\(length)") { try unpack(cut) }
        }
        var wrong = packed
        wrong.setInteger(UInt8(0x55), at: packed.readableBytes - 6)
        #expect(throws: Failure.self) { try unpack(wrong) }
        var followed = packed
        followed.writeString("rubbish")
        #expect(throws: Failure.self) { try unpack(followed) }
        #expect(throws: Failure.self) { try unpack(ByteBuffer(string: "this is no gzip at all")) }
    }
}
