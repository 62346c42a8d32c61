package import NIOCore

extension JSON {
    /// Parses one complete JSON text.
    ///
    /// - Throws: `Failure(.invalidArgument)` naming the byte where it stops being JSON.
    package init(parsing text: some StringProtocol) throws {
        var copy = String(text)
        self = try copy.withUTF8 { try JSON(parsing: UnsafeRawBufferPointer($0)) }
    }

    package init(parsing buffer: ByteBuffer) throws {
        self = try buffer.withUnsafeReadableBytes { try JSON(parsing: $0) }
    }

    package init(parsing bytes: [UInt8]) throws {
        self = try bytes.withUnsafeBytes { try JSON(parsing: $0) }
    }

    private init(parsing bytes: UnsafeRawBufferPointer) throws {
        try RawJSON.requireUTF8(bytes)
        var scanner = JSONScanner(bytes)
        self = try scanner.parseValue(depth: 0)
        try scanner.expectEnd()
    }
}

extension JSONScanner {
    fileprivate mutating func parseValue(depth: Int) throws -> JSON {
        guard depth < Self.maximumDepth else { throw failure("nested deeper than \(Self.maximumDepth)") }
        skipWhitespace()
        switch current {
        case UInt8(ascii: "{"): return .object(try parseObject(depth: depth))
        case UInt8(ascii: "["): return .array(try parseArray(depth: depth))
        case UInt8(ascii: "\""):
            let (range, escaped) = try skipString()
            return .string(text(range, escaped: escaped))
        case UInt8(ascii: "t"):
            try expect(literal: "true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try expect(literal: "false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try expect(literal: "null")
            return .null
        case nil: throw failure("unexpected end")
        default: return .number(text(try skipNumber(), escaped: false))
        }
    }

    private mutating func parseObject(depth: Int) throws -> JSON.Object {
        var object = JSON.Object()
        var places: [String: Int] = [:]
        try expect(UInt8(ascii: "{"))
        skipWhitespace()
        if take(UInt8(ascii: "}")) { return object }
        repeat {
            skipWhitespace()
            let (range, escaped) = try skipString()
            let name = text(range, escaped: escaped)
            skipWhitespace()
            try expect(UInt8(ascii: ":"))
            let value = try parseValue(depth: depth + 1)
            if let place = places[name] {
                object.replace(at: place, with: value)
            } else {
                places[name] = object.members.count
                object.append(name, value)
            }
            skipWhitespace()
        } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "}"))
        return object
    }

    private mutating func parseArray(depth: Int) throws -> [JSON] {
        var array: [JSON] = []
        try expect(UInt8(ascii: "["))
        skipWhitespace()
        if take(UInt8(ascii: "]")) { return array }
        repeat {
            array.append(try parseValue(depth: depth + 1))
            skipWhitespace()
        } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "]"))
        return array
    }
}
