internal import Core
internal import SystemPackage

/// Reads a file forward through a small window, and refuses what cannot be there.
struct GGUFScanner {
    struct Problem: Error { let reason: String }

    struct Tensor {
        let elements: UInt64
        let type: UInt32
        let offset: UInt64

        /// Whether it lies within so many bytes of data. Of a type we do not know only the beginning is checked.
        func fits(in size: UInt64) -> Bool {
            guard let block = GGUF.blocks[type] else { return offset <= size }
            let (blocks, rest) = elements.quotientAndRemainder(dividingBy: block.elements)
            let (bytes, overflow) = (blocks + (rest > 0 ? 1 : 0)).multipliedReportingOverflow(by: block.bytes)
            return !overflow && offset <= size && bytes <= size - offset
        }
    }

    private static let windowSize = 64 << 10
    /// The head of a large model has some 10 MB of vocabulary.
    private static let maximumHead: Int64 = 256 << 20
    private static let maximumText = 64 << 10
    private static let maximumList = 50

    private let descriptor: FileDescriptor
    let size: Int64
    private(set) var position: Int64 = 0
    private var window: [UInt8] = []
    private var windowStart: Int64 = 0

    init(_ descriptor: FileDescriptor) throws {
        self.descriptor = descriptor
        size = try Files.wrap("cannot read the file's size") { try descriptor.seek(offset: 0, from: .end) }
    }

    func problem(_ reason: String) -> Problem { Problem(reason: reason) }

    /// The next bytes, of which there must be so many.
    mutating func bytes(_ count: Int) throws -> ArraySlice<UInt8> {
        guard Int64(count) <= size - position else { throw problem("it is cut off") }
        guard position + Int64(count) <= Self.maximumHead else { throw problem("its head is too large") }
        if position < windowStart || position + Int64(count) > windowStart + Int64(window.count) {
            try load(max(count, Self.windowSize))
        }
        let start = Int(position - windowStart)
        // The file may have become shorter since its size was taken.
        guard start + count <= window.count else { throw problem("it is cut off") }
        position += Int64(count)
        return window[start..<start + count]
    }

    private mutating func load(_ count: Int) throws {
        windowStart = position
        window = try Files.wrap("cannot read the file") {
            try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
                while filled < count {
                    let read = try descriptor.read(
                        fromAbsoluteOffset: position + Int64(filled),
                        into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[filled...]))
                    if read == 0 { break }
                    filled += read
                }
            }
        }
    }

    mutating func skip(_ count: UInt64) throws {
        guard count <= UInt64(size - position) else { throw problem("it is cut off") }
        position += Int64(count)
        guard position <= Self.maximumHead else { throw problem("its head is too large") }
    }

    mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) throws -> Value {
        try bytes(MemoryLayout<Value>.size).reversed().reduce(0) { $0 << 8 | Value(truncatingIfNeeded: $1) }
    }

    /// A text; nil when it is longer than `limit` bytes and was passed over.
    mutating func string(limit: Int) throws -> String? {
        let length: UInt64 = try integer()
        guard length <= UInt64(limit) else {
            try skip(length)
            return nil
        }
        return String(decoding: try bytes(Int(length)), as: UTF8.self)
    }

    /// A metadata value as a text; nil when it is too long to keep.
    mutating func value() throws -> String? { try value(type: try integer()) }

    private mutating func value(type: UInt32) throws -> String? {
        switch type {
        case 0: return String(try integer(UInt8.self))
        case 1: return String(try integer(Int8.self))
        case 2: return String(try integer(UInt16.self))
        case 3: return String(try integer(Int16.self))
        case 4: return String(try integer(UInt32.self))
        case 5: return String(try integer(Int32.self))
        case 6: return Double(Float(bitPattern: try integer())).fixed(6)
        case 7: return try integer(UInt8.self) == 0 ? "false" : "true"
        case 8: return try string(limit: Self.maximumText)
        case 9: return try list()
        case 10: return String(try integer(UInt64.self))
        case 11: return String(try integer(Int64.self))
        case 12: return Double(bitPattern: try integer()).fixed(6)
        default: throw problem("unknown kind of metadata value \(type)")
        }
    }

    private mutating func list() throws -> String? {
        let type: UInt32 = try integer()
        let count: UInt64 = try integer()
        guard type != 9 else { throw problem("lists within lists are not supported") }
        if count <= UInt64(Self.maximumList) {
            var texts: [String] = []
            for _ in 0..<count { texts.append(try value(type: type) ?? "") }
            return texts.joined(separator: ", ")
        }
        if let width = Self.widths[type] {
            let (bytes, overflow) = count.multipliedReportingOverflow(by: width)
            guard !overflow else { throw problem("impossible list") }
            try skip(bytes)
            return nil
        }
        guard type == 8 else { throw problem("unknown kind of metadata value \(type)") }
        // Each text takes its length's 8 bytes at least.
        guard count <= UInt64(size) / 8 else { throw problem("impossible list") }
        for _ in 0..<count { try skip(try integer(UInt64.self)) }
        return nil
    }

    private static let widths: [UInt32: UInt64] = [
        0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8,
    ]

    mutating func tensor() throws -> Tensor {
        _ = try string(limit: 65535)
        let dimensions: UInt32 = try integer()
        guard dimensions <= 4 else { throw problem("a tensor with \(dimensions) dimensions") }
        var elements: UInt64 = 1
        for _ in 0..<dimensions {
            let (product, overflow) = elements.multipliedReportingOverflow(by: try integer())
            guard !overflow else { throw problem("impossible tensor size") }
            elements = product
        }
        return Tensor(elements: elements, type: try integer(), offset: try integer())
    }
}
