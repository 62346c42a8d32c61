import Core
import ModelStore
import NIOCore
import SystemPackage
import TestSupport
import Testing

@Suite struct SafetensorsTests {
    private func read(_ bytes: ByteBuffer) async throws -> Safetensors {
        try await withTemporaryDirectory { folder in
            let path = folder.appending("x.safetensors")
            try Files.write(bytes, to: path)
            return try Safetensors(reading: path)
        }
    }

    @Test func readsWhatTensorsThereAre() async throws {
        let file = try await read(
            safetensors([
                ("a", "BF16", [4, 8], 64), ("b", "F32", [], 4), ("c", "F4", [2, 3], 3), ("d", "I8", [0, 7], 0),
            ]))
        #expect(file.parameters == 39)
        #expect(file.tensorCount == 4)
        #expect(file.types == ["BF16": 32, "F32": 1, "F4": 6, "I8": 0])
        #expect(file.dataSize == 71)
        #expect(file.metadata == ["format": "pt"])
        #expect(Safetensors.quantization(file.types) == "mixed")
        #expect(Safetensors.quantization(["F16": 3, "I8": 0]) == "F16")
        #expect(Safetensors.quantization([:]) == "unknown")
    }

    private static func file(_ head: String, data: Int = 0, length: UInt64? = nil) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeInteger(length ?? UInt64(head.utf8.count), endianness: .little)
        bytes.writeString(head)
        bytes.writeRepeatingByte(0, count: data)
        return bytes
    }

    private static func tensor(_ type: String, _ shape: String, _ offsets: String, more: String = "") -> String {
        #"{"t":{"dtype":"\#(type)","shape":\#(shape),"data_offsets":\#(offsets)}\#(more)}"#
    }

    @Test(
        arguments: [
            (ByteBuffer(), "cut off"), (ByteBuffer(string: "<html>"), "cut off"),
            (file("{}", length: .max), "length of its head"), (file("{}", length: 3), "length of its head"),
            (file("{}", length: 0), "length of its head"), (file("{} ,"), "not JSON"),
            (file("[]"), "not a JSON object"),
            (file(#"{"t":3}"#), "lacks its type"), (file(#"{"t":{"dtype":"F32"}}"#), "lacks its type"),
            (file(tensor("F33", "[1]", "[0,4]"), data: 4), "unknown kind of number"),
            (file(tensor("F32", "[1]", "[0,8]"), data: 8), "does not fit its shape"),
            (file(tensor("F32", "[1]", "[4,0]"), data: 4), "does not fit its shape"),
            (file(tensor("F4", "[1]", "[0,1]"), data: 1), "does not fit its shape"),
            (file(tensor("F32", "[1]", "[0,4]")), "cut off"),
            (file(tensor("F32", "[1]", "[0,4]"), data: 5), "after its last tensor"),
            (file(tensor("F32", "[1]", "[1,5]"), data: 5), "hole"),
            (file(tensor("F32", "[-1]", "[0,4]"), data: 4), "is no number"),
            (file(tensor("F32", "[1.5]", "[0,4]"), data: 4), "is no number"),
            (file(tensor("F32", "[1]", "[0,18446744073709551616]"), data: 4), "is no number"),
            (file(tensor("U8", "[18446744073709551615,2]", "[0,4]"), data: 4), "impossible tensor size"),
            (file(tensor("F64", "[18446744073709551615]", "[0,4]"), data: 4), "does not fit its shape"),
            (
                file(
                    tensor("U8", "[4]", "[0,4]", more: #","u":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}"#),
                    data: 6),
                "overlap"
            ),
            (
                file(
                    tensor("U8", "[1]", "[0,1]", more: #","t":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}"#),
                    data: 2),
                "two tensors of one name"
            ),
            (file(#"{"__metadata__":{"a":1}}"#), "impossible metadata"),
        ] as [(ByteBuffer, String)])
    func refuses(bytes: ByteBuffer, reason: String) async throws {
        let failure = await #expect(throws: Failure.self) { try await read(bytes) }
        #expect(failure?.code == .corrupted)
        #expect(failure?.message.contains(reason) == true, "\(String(describing: failure))")
    }

    @Test func refusesEveryTruncation() async throws {
        let whole = safetensors([("a", "F16", [2, 4], 16)])
        for length in 0..<whole.readableBytes {
            let failure = await #expect(throws: Failure.self, "length \(length)") {
                try await read(whole.getSlice(at: 0, length: length) ?? ByteBuffer())
            }
            #expect(failure?.code == .corrupted)
        }
    }
}
