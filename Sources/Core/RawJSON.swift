package import NIOCore

/// One checked JSON value as the bytes it came in, for passing on without re-encoding.
///
/// Looking at top-level members costs one scan and builds no tree; a value is parsed only where it is needed.
package struct RawJSON: Sendable, Hashable {
    package let buffer: ByteBuffer

    /// Checks that the buffer holds exactly one JSON value.
    package init(checking buffer: ByteBuffer) throws {
        let range = try buffer.withUnsafeReadableBytes { bytes in
            try Self.requireUTF8(bytes)
            var scanner = JSONScanner(bytes)
            let range = try scanner.skipValue()
            try scanner.expectEnd()
            return range
        }
        self.buffer = buffer.slice(range)
    }

    package init(_ json: JSON) { buffer = json.bytes }

    /// For slices of a buffer that has been checked as a whole.
    private init(trusted buffer: ByteBuffer) { self.buffer = buffer }

    package func parsed() throws -> JSON { try JSON(parsing: buffer) }

    package var text: String { String(buffer: buffer) }

    package var isObject: Bool { buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) == UInt8(ascii: "{") }
    package var isArray: Bool { buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) == UInt8(ascii: "[") }

    /// The members of an object, in order, values as slices of the same storage. Empty for anything else.
    package func members() -> [(name: String, value: RawJSON)] {
        guard isObject else { return [] }
        var found: [(String, Range<Int>)] = []
        buffer.withUnsafeReadableBytes { bytes in
            var scanner = JSONScanner(bytes)
            let names = JSONScanner(bytes)
            // Checked when this value was made, so it cannot fail here.
            try? scanner.forEachMember { name, escaped, value in
                found.append((names.text(name, escaped: escaped), value))
            }
        }
        return found.map { ($0.0, RawJSON(trusted: buffer.slice($0.1))) }
    }

    /// The last member with this name.
    package subscript(name: String) -> RawJSON? { members().last { $0.name == name }?.value }

    /// The same object with one top-level member's value replaced, or added at the end. All other bytes stay.
    package func replacing(_ name: String, with value: RawJSON) -> RawJSON {
        var out = ByteBuffer()
        out.reserveCapacity(buffer.readableBytes + value.buffer.readableBytes + name.utf8.count + 4)
        out.writeString("{")
        var written = false
        for member in members() {
            if member.name == name && written { continue }
            if out.readableBytes > 1 { out.writeString(",") }
            out.writeString(JSON.quoted(member.name) + ":")
            out.writeImmutableBuffer(member.name == name ? value.buffer : member.value.buffer)
            written = written || member.name == name
        }
        if !written {
            if out.readableBytes > 1 { out.writeString(",") }
            out.writeString(JSON.quoted(name) + ":")
            out.writeImmutableBuffer(value.buffer)
        }
        out.writeString("}")
        return RawJSON(trusted: out)
    }

    static func requireUTF8(_ bytes: UnsafeRawBufferPointer) throws {
        if String(validating: bytes.bindMemory(to: UInt8.self), as: UTF8.self) == nil {
            throw Failure(.invalidArgument, "invalid JSON: not UTF-8")
        }
    }
}

extension ByteBuffer {
    /// A slice by offsets from the reader index.
    fileprivate func slice(_ range: Range<Int>) -> ByteBuffer {
        getSlice(at: readerIndex + range.lowerBound, length: range.count) ?? ByteBuffer()
    }
}

extension RawJSON {
    /// The elements of an array as slices of the same storage.
    ///
    /// - Throws: `.invalidArgument` for anything but an array.
    package func elements() throws -> [RawJSON] {
        guard isArray else { throw Failure(.invalidArgument, "expected a JSON array") }
        var ranges: [Range<Int>] = []
        try buffer.withUnsafeReadableBytes { bytes in
            var scanner = JSONScanner(bytes)
            try scanner.forEachElement { ranges.append($0) }
        }
        return ranges.map { RawJSON(trusted: buffer.slice($0)) }
    }
}
