internal import Core
internal import NIOCore
package import SystemPackage

/// What the head of a safetensors file says: the kinds and sizes of its tensors, never the weights.
package struct Safetensors: Sendable {
    /// Elements of all tensors together.
    package let parameters: UInt64
    package let tensorCount: Int
    /// Kinds of numbers, by how many elements have them.
    package let types: [String: UInt64]
    /// The file's own texts.
    package let metadata: [String: String]
    /// Bytes of the tensors.
    package let dataSize: Int64

    /// A head of 16 MiB describes some 100 000 tensors.
    package static let maximumHead = 16 << 20
    private static let maximumMetadata = 1 << 20

    /// Bits one element takes.
    static let bits: [String: UInt64] = [
        "BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32, "I32": 32, "U64": 64, "I64": 64, "F4": 4,
        "F6_E2M3": 6, "F6_E3M2": 6, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F16": 16, "BF16": 16, "F32": 32,
        "F64": 64, "C64": 64,
    ]

    struct Problem: Error { let reason: String }

    /// Reads the head of a file.
    ///
    /// - Throws: `.notFound` and the like; `.corrupted` "FILE is not a safetensors file (why)".
    package init(reading path: FilePath) throws {
        let status = try Files.wrap("cannot read \(path)") { try POSIX.status(path) }
        guard status.isRegular else { throw Failure(.invalidArgument, "\(path) is not a regular file") }
        let descriptor = try Files.wrap("cannot read \(path)") {
            try SystemPackage.FileDescriptor.open(path, .readOnly, options: .closeOnExec)
        }
        defer { try? descriptor.close() }
        do {
            var first = try Self.read(descriptor, at: 0, count: 8)
            let length: UInt64? = first.readInteger(endianness: .little)
            guard let length, length >= 2, length <= UInt64(Self.maximumHead), Int64(length) <= status.size - 8 else {
                throw Problem(reason: "impossible length of its head")
            }
            let head = try Self.read(descriptor, at: 8, count: Int(length))
            try self.init(head: head, dataSize: status.size - 8 - Int64(length))
        } catch let problem as Problem {
            throw Failure(
                .corrupted, "\(path) is not a safetensors file (\(problem.reason))",
                advice: "Give a model in safetensors format, downloaded completely")
        }
    }

    private static func read(_ descriptor: SystemPackage.FileDescriptor, at offset: Int64, count: Int) throws
        -> ByteBuffer
    {
        var bytes = ByteBuffer()
        try Files.wrap("cannot read the file") {
            while bytes.readableBytes < count {
                let left = count - bytes.readableBytes
                let place = offset + Int64(bytes.readableBytes)
                let read = try bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: left) {
                    try descriptor.read(
                        fromAbsoluteOffset: place, into: UnsafeMutableRawBufferPointer(rebasing: $0.prefix(left)))
                }
                if read == 0 { break }
            }
        }
        guard bytes.readableBytes == count else { throw Problem(reason: "it is cut off") }
        return bytes
    }

    /// - Throws: `Problem`.
    init(head: ByteBuffer, dataSize: Int64) throws {
        let json: RawJSON
        do { json = try RawJSON(checking: head) } catch { throw Problem(reason: "its head is not JSON") }
        guard json.isObject else { throw Problem(reason: "its head is not a JSON object") }
        var names = Set<String>()
        var metadata: [String: String] = [:]
        var types: [String: UInt64] = [:]
        var tensors: [Tensor] = []
        var sum: UInt64 = 0
        for (name, value) in json.members() {
            guard names.insert(name).inserted else { throw Problem(reason: "two tensors of one name") }
            if name == "__metadata__" {
                metadata = try Self.texts(value)
                continue
            }
            let tensor = try Tensor(value)
            let (total, overflow) = sum.addingReportingOverflow(tensor.elements)
            guard !overflow else { throw Problem(reason: "impossible number of parameters") }
            sum = total
            types[tensor.type, default: 0] += tensor.elements
            tensors.append(tensor)
        }
        // One after the other from the first byte to the last: no holes, nothing twice.
        var position: UInt64 = 0
        for tensor in tensors.sorted(by: { ($0.start, $0.end) < ($1.start, $1.end) }) {
            guard tensor.start == position else { throw Problem(reason: "tensors overlap, or leave a hole") }
            position = tensor.end
        }
        guard position == UInt64(max(dataSize, 0)) else {
            throw Problem(reason: position > UInt64(max(dataSize, 0)) ? "it is cut off" : "bytes after its last tensor")
        }
        (parameters, tensorCount, self.types) = (sum, tensors.count, types)
        (self.metadata, self.dataSize) = (metadata, dataSize)
    }

    private static func texts(_ value: RawJSON) throws -> [String: String] {
        guard value.isObject, value.buffer.readableBytes <= maximumMetadata else {
            throw Problem(reason: "impossible metadata")
        }
        return Dictionary(
            try value.members().map { name, value in
                guard let text = (try? value.parsed())?.string else { throw Problem(reason: "impossible metadata") }
                return (name, text)
            }, uniquingKeysWith: { $1 })
    }
}

/// One tensor's entry in the head.
private struct Tensor {
    let type: String
    let elements: UInt64
    let start: UInt64
    let end: UInt64

    init(_ value: RawJSON) throws {
        // The entry of a tensor has three members; what is much longer is none.
        guard value.isObject, value.buffer.readableBytes <= 4096, let entry = try? value.parsed(),
            let type = entry["dtype"]?.string, let shape = entry["shape"]?.array,
            let offsets = entry["data_offsets"]?.array, offsets.count == 2, shape.count <= 16
        else { throw Safetensors.Problem(reason: "a tensor lacks its type, shape or place") }
        guard let bits = Safetensors.bits[type] else {
            throw Safetensors.Problem(reason: "unknown kind of number \(JSON.quoted(String(type.prefix(20))))")
        }
        func whole(_ json: JSON) throws -> UInt64 {
            guard case .number(let text) = json, let number = UInt64(text) else {
                throw Safetensors.Problem(reason: "a tensor's shape or place is no number")
            }
            return number
        }
        var elements: UInt64 = 1
        for dimension in shape {
            let (product, overflow) = elements.multipliedReportingOverflow(by: try whole(dimension))
            guard !overflow else { throw Safetensors.Problem(reason: "impossible tensor size") }
            elements = product
        }
        let (total, overflow) = elements.multipliedReportingOverflow(by: bits)
        (start, end) = (try whole(offsets[0]), try whole(offsets[1]))
        guard !overflow, total % 8 == 0, start <= end, end - start == total / 8 else {
            throw Safetensors.Problem(reason: "a tensor's size does not fit its shape")
        }
        self.type = type
        self.elements = elements
    }
}

extension Safetensors {
    /// What most of the weights are stored as: one kind's name, `mixed`, or `unknown` where there are no weights.
    package static func quantization(_ types: [String: UInt64]) -> String {
        let used = types.filter { $0.value > 0 }.keys
        return used.count == 1 ? used.first ?? "unknown" : used.isEmpty ? "unknown" : "mixed"
    }
}
