import Core
import ModelStore
import NIOCore
import SystemPackage
import TestSupport
import Testing

@Suite struct GGUFTests {
    @Test func readsPebble() throws {
        let file = try GGUF(reading: pebble)
        #expect(file.version == 3)
        #expect(file.tensorCount == 47)
        #expect(file.architecture == "llama")
        #expect(file.quantization == "Q8_0")
        #expect(file.contextLength == file.metadata["llama.context_length"].flatMap { Int($0) })
        #expect(file.parameters == 1_115_520)
        #expect(file.parametersText == "1.12M")
        #expect(file.metadata["tokenizer.ggml.tokens"] == nil)
        #expect(file.metadata["general.architecture"] == "llama")
        #expect(file.parts == 1)
        #expect(file.dataSize > 1_000_000 && file.dataSize < file.fileSize)
    }

    /// Every shorter file is refused with the reason; none is taken for a whole one.
    @Test func refusesEveryTruncation() async throws {
        let bytes = try Files.read(pebble)
        let head = bytes.readableBytes - Int(try GGUF(reading: pebble).dataSize)
        try await withTemporaryDirectory { root in
            let path = root.appending("cut.gguf")
            let lengths = Array(0..<64) + Array(stride(from: 64, to: head, by: 499)) + [head, bytes.readableBytes - 1]
            for length in lengths {
                try Files.remove(path)
                try Files.write(bytes.getSlice(at: bytes.readerIndex, length: length) ?? ByteBuffer(), to: path)
                let failure = #expect(throws: Failure.self, "length \(length)") { try GGUF(reading: path) }
                #expect(failure?.code == .corrupted)
                #expect(failure?.message.hasPrefix("\(path) is not a GGUF file (") == true)
            }
        }
    }

    /// Changed bytes in the head may be taken or refused, but never trap, hang or give impossible numbers.
    @Test func survivesMutations() async throws {
        let whole = try Files.read(pebble)
        let bytes = try #require(whole.getBytes(at: whole.readerIndex, length: whole.readableBytes))
        let head = bytes.count - Int(try GGUF(reading: pebble).dataSize)
        var random = SeededRandom(42)
        var taken = 0
        var refused = 0
        try await withTemporaryDirectory { root in
            let path = root.appending("mutated.gguf")
            try Files.write(whole, to: path)
            let file = try FileDescriptor.open(path, .readWrite)
            defer { try? file.close() }
            for _ in 0..<1500 {
                // Mostly in the first bytes, where the counts and lengths are.
                let places = (0..<Int.random(in: 1...4, using: &random)).map { _ in
                    Int.random(in: 0..<(Bool.random(using: &random) ? 400 : head), using: &random)
                }
                for place in places {
                    let value: UInt8 =
                        [0, 1, 0x7F, 0x80, 0xFF, .random(in: 0...255, using: &random)]
                        .randomElement(using: &random) ?? 0
                    try file.writeAll(toAbsoluteOffset: Int64(place), [value])
                }
                do {
                    let read = try GGUF(reading: path)
                    #expect(read.dataSize <= read.fileSize && read.tensorCount <= bytes.count / 24)
                    _ = read.parametersText
                    taken += 1
                } catch let failure as Failure {
                    #expect(failure.code == .corrupted)
                    refused += 1
                }
                for place in places { try file.writeAll(toAbsoluteOffset: Int64(place), [bytes[place]]) }
            }
            #expect(try GGUF(reading: path).tensorCount == 47)
        }
        #expect(taken > 0 && refused > 0)
    }

    private static func head(
        version: UInt32 = 3, tensors: UInt64 = 0, values: UInt64 = 0, _ fill: (inout GGUFWriter) -> Void = { _ in }
    ) -> ByteBuffer {
        var writer = GGUFWriter(version: version, tensors: tensors, values: values)
        fill(&writer)
        writer.bytes.writeRepeatingByte(0, count: 64)
        return writer.bytes
    }

    @Test(
        arguments: [
            (ByteBuffer(string: "<html>This is a page and no model at all</html>"), "does not begin with GGUF"),
            (head(version: 1), "unknown version 1"),
            (head(version: UInt32(3).byteSwapped), "big-endian"),
            (head(tensors: .max), "number of tensors"),
            (head(values: .max), "number of metadata values"),
            (head(values: 1) { $0.number(UInt64.max) }, "cut off"),
            (
                head(values: 1) {
                    $0.text("k"); $0.number(UInt32(99))
                }, "unknown kind of metadata value 99"
            ),
            (
                head(values: 1) {
                    $0.text("k"); $0.number(UInt32(8)); $0.number(UInt64.max)
                }, "cut off"
            ),
            (
                head(values: 1) {
                    $0.text("k"); $0.number(UInt32(9)); $0.number(UInt32(4)); $0.number(UInt64.max)
                }, "impossible list"
            ),
            (
                head(values: 1) {
                    $0.text("k"); $0.number(UInt32(9)); $0.number(UInt32(8)); $0.number(UInt64.max)
                }, "impossible list"
            ),
            (
                head(values: 1) {
                    $0.text("k"); $0.number(UInt32(9)); $0.number(UInt32(9)); $0.number(UInt64(1))
                }, "lists within"
            ),
            (head(values: 1) { $0.value("general.alignment", 0) }, "alignment"),
            (head(values: 1) { $0.value("general.alignment", 33) }, "alignment"),
            (head(tensors: 1) { $0.tensor("t", [1, 1, 1, 1, 1]) }, "5 dimensions"),
            (head(tensors: 1) { $0.tensor("t", [.max, .max]) }, "impossible tensor size"),
            (
                head(tensors: 2) {
                    $0.tensor("t", [.max], type: 77); $0.tensor("t", [2], type: 77)
                }, "number of parameters"
            ),
            (head(tensors: 1) { $0.tensor("t", [1000]) }, "cut off"),
            (head(tensors: 1) { $0.tensor("t", [1], offset: .max) }, "cut off"),
        ] as [(ByteBuffer, String)])
    func refusesHostileHeads(bytes: ByteBuffer, reason: String) async throws {
        try await withTemporaryDirectory { root in
            let path = root.appending("x.gguf")
            try Files.write(bytes, to: path)
            let failure = #expect(throws: Failure.self) { try GGUF(reading: path) }
            #expect(failure?.code == .corrupted)
            #expect(failure?.message.contains(reason) == true, "\(String(describing: failure))")
        }
    }

    @Test func readsEveryKindOfValue() async throws {
        var writer = GGUFWriter(version: 2, tensors: 1, values: 8)
        writer.value("general.architecture", "tiny")
        writer.value("general.file_type", 15)
        writer.value("tiny.context_length", 4096)
        writer.value("split.count", 3)
        writer.text("f")
        writer.number(UInt32(6))
        writer.number(Float(0.00001).bitPattern)
        writer.text("b")
        writer.number(UInt32(7))
        writer.number(UInt8(1))
        writer.text("short")
        writer.number(UInt32(9))
        writer.number(UInt32(5))
        writer.number(UInt64(2))
        writer.number(Int32(-1))
        writer.number(Int32(2))
        writer.text("long")
        writer.number(UInt32(9))
        writer.number(UInt32(8))
        writer.number(UInt64(51))
        for number in 0..<51 { writer.text("token \(number)") }
        writer.tensor("t", [8, 4], type: 1)
        writer.bytes.writeRepeatingByte(0, count: 128)
        try await withTemporaryDirectory { root in
            let path = root.appending("x.gguf")
            try Files.write(writer.bytes, to: path)
            let file = try GGUF(reading: path)
            #expect(file.metadata["f"] == "0.000010")
            #expect(file.metadata["b"] == "true")
            #expect(file.metadata["short"] == "-1, 2")
            #expect(file.metadata["long"] == nil)
            #expect((file.quantization, file.contextLength, file.parts) == ("Q4_K_M", 4096, 3))
            #expect((file.parameters, file.parametersText) == (32, "32"))
        }
    }

    /// Numbers that no engine would take must not end the daemon.
    @Test(arguments: [1e15, 9.9e14, 1e300, .infinity, .nan, -.greatestFiniteMagnitude])
    func survivesEveryNumber(_ number: Double) async throws {
        var writer = GGUFWriter(values: 2)
        writer.text("f")
        writer.number(UInt32(6))
        writer.number(Float(number).bitPattern)
        writer.text("d")
        writer.number(UInt32(12))
        writer.number(number.bitPattern)
        writer.bytes.writeRepeatingByte(0, count: 64)
        try await withTemporaryDirectory { root in
            let path = root.appending("x.gguf")
            try Files.write(writer.bytes, to: path)
            let file = try GGUF(reading: path)
            #expect(file.metadata["d"].flatMap { Double($0) }.map { $0 == number || number.isNaN } == true)
            #expect(file.metadata["f"]?.isEmpty == false)
        }
    }

    @Test func aFolderIsNoFile() {
        let failure = #expect(throws: Failure.self) { try GGUF(reading: "/") }
        #expect(failure?.code == .invalidArgument)
        let missing = #expect(throws: Failure.self) { try GGUF(reading: "/nonexistent/x.gguf") }
        #expect(missing?.code == .notFound)
    }
}
