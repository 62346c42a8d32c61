internal import Core
package import NIOCore
package import SystemPackage

/// A sound GGUF file in memory, for making others of it: its parts, adapters for it. Small ones only.
package struct GGUFFile {
    package struct Tensor {
        package let name: String
        package let dimensions: [UInt64]
        package let type: UInt32
        package let data: ByteBuffer
    }

    /// The kind and the value as they stand in the file, by name.
    package var values: [(name: String, raw: ByteBuffer)] = []
    package var tensors: [Tensor] = []

    package init() {}

    package init(reading path: FilePath) throws {
        var bytes = try Files.read(path, limit: 64 << 20)
        let whole = bytes
        func number<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) throws -> Value {
            guard let value = bytes.readInteger(endianness: .little, as: Value.self) else { throw Self.cutOff }
            return value
        }
        func text() throws -> String {
            guard let text = bytes.readString(length: Int(try number(UInt64.self))) else { throw Self.cutOff }
            return text
        }
        func skip(_ kind: UInt32) throws {
            switch kind {
            case 8: _ = try text()
            case 9:
                let inner = try number(UInt32.self)
                for _ in 0..<(try number(UInt64.self)) { try skip(inner) }
            default: bytes.moveReaderIndex(forwardBy: [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8][Int(kind)])
            }
        }
        bytes.moveReaderIndex(forwardBy: 8)
        let (tensorCount, valueCount) = (try number(UInt64.self), try number(UInt64.self))
        for _ in 0..<valueCount {
            let name = try text()
            let start = bytes.readerIndex
            try skip(try number())
            values.append((name, whole.getSlice(at: start, length: bytes.readerIndex - start) ?? ByteBuffer()))
        }
        var heads: [(name: String, dimensions: [UInt64], type: UInt32, offset: Int)] = []
        for _ in 0..<tensorCount {
            let name = try text()
            let dimensions = try (0..<(try number(UInt32.self))).map { _ in try number(UInt64.self) }
            heads.append((name, dimensions, try number(), Int(try number(UInt64.self))))
        }
        let start = (bytes.readerIndex + 31) / 32 * 32
        let ends = heads.map(\.offset).sorted() + [whole.readableBytes - start]
        for head in heads {
            let end = ends.first { $0 > head.offset } ?? head.offset
            guard let data = whole.getSlice(at: start + head.offset, length: end - head.offset) else {
                throw Self.cutOff
            }
            tensors.append(Tensor(name: head.name, dimensions: head.dimensions, type: head.type, data: data))
        }
    }

    private static let cutOff = Failure(.corrupted, "the test's GGUF file is cut off")

    package mutating func set(_ name: String, _ text: String) {
        var raw = ByteBuffer()
        raw.writeInteger(UInt32(8), endianness: .little)
        raw.writeInteger(UInt64(text.utf8.count), endianness: .little)
        raw.writeString(text)
        values.append((name, raw))
    }

    package mutating func set(_ name: String, _ number: Float) {
        var raw = ByteBuffer()
        raw.writeInteger(UInt32(6), endianness: .little)
        raw.writeInteger(number.bitPattern, endianness: .little)
        values.append((name, raw))
    }

    private mutating func set(_ name: String, kind: UInt32, _ number: some FixedWidthInteger) {
        var raw = ByteBuffer()
        raw.writeInteger(kind, endianness: .little)
        raw.writeInteger(number, endianness: .little)
        values.append((name, raw))
    }

    package var bytes: ByteBuffer {
        var writer = GGUFWriter(tensors: UInt64(tensors.count), values: UInt64(values.count))
        for value in values {
            writer.text(value.name)
            writer.bytes.writeImmutableBuffer(value.raw)
        }
        var data = ByteBuffer()
        for tensor in tensors {
            data.writeRepeatingByte(0, count: (32 - data.readableBytes % 32) % 32)
            writer.tensor(tensor.name, tensor.dimensions, type: tensor.type, offset: UInt64(data.readableBytes))
            data.writeImmutableBuffer(tensor.data)
        }
        writer.bytes.writeRepeatingByte(0, count: (32 - writer.bytes.readableBytes % 32) % 32)
        writer.bytes.writeImmutableBuffer(data)
        return writer.bytes
    }

    /// The same model in several files, as llama.cpp's own splitter writes them; the metadata is in the first.
    package func parts(_ count: Int) -> [GGUFFile] {
        (0..<count).map { number in
            var part = GGUFFile()
            if number == 0 { part.values = values }
            part.set("split.no", kind: 2, UInt16(number))
            part.set("split.count", kind: 2, UInt16(count))
            part.set("split.tensors.count", kind: 5, Int32(tensors.count))
            let share = (tensors.count + count - 1) / count
            part.tensors = Array(tensors.dropFirst(number * share).prefix(share))
            return part
        }
    }

    /// A LoRA adapter of rank 1 for those tensors, which adds the same number to every weight.
    package func adapter(on names: [String], adding amount: Float, architecture: String = "llama") -> GGUFFile {
        var adapter = GGUFFile()
        adapter.set("general.type", "adapter")
        adapter.set("general.architecture", architecture)
        adapter.set("adapter.type", "lora")
        adapter.set("adapter.lora.alpha", Float(1))
        for tensor in tensors where names.contains(tensor.name) && tensor.dimensions.count == 2 {
            for (suffix, dimensions, value) in [
                ("lora_a", [tensor.dimensions[0], 1], Float(1)), ("lora_b", [1, tensor.dimensions[1]], amount),
            ] {
                var data = ByteBuffer()
                for _ in 0..<(dimensions[0] * dimensions[1]) {
                    data.writeInteger(value.bitPattern, endianness: .little)
                }
                adapter.tensors.append(
                    Tensor(name: "\(tensor.name).\(suffix)", dimensions: dimensions, type: 0, data: data))
            }
        }
        return adapter
    }
}

/// A sound safetensors file with these tensors, in their order.
package func safetensors(_ tensors: [(name: String, type: String, shape: [Int], bytes: Int)]) -> ByteBuffer {
    var head = JSON.Object([("__metadata__", ["format": "pt"])])
    var place = 0
    for tensor in tensors {
        head[tensor.name] = [
            "dtype": .string(tensor.type), "shape": .array(tensor.shape.map { .int($0) }),
            "data_offsets": [.int(place), .int(place + tensor.bytes)],
        ]
        place += tensor.bytes
    }
    var bytes = ByteBuffer()
    let text = JSON.object(head).text
    bytes.writeInteger(UInt64(text.utf8.count), endianness: .little)
    bytes.writeString(text)
    for index in 0..<place { bytes.writeInteger(UInt8(truncatingIfNeeded: index &* 31)) }
    return bytes
}
