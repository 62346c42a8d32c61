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
    package subscript(name: String) -> RawJSON? {
        var found: Range<Int>?
        forEachMember { member, value in if member.isEqual(to: name) { found = value } }
        return found.map { RawJSON(trusted: buffer.slice($0)) }
    }

    /// The last members with these names, found in one walk.
    package func members(named names: [StaticString]) -> [RawJSON?] {
        var found = [Range<Int>?](repeating: nil, count: names.count)
        forEachMember { member, value in
            for (place, name) in names.enumerated() where member.isEqual(to: name) { found[place] = value }
        }
        return found.map { range in range.map { RawJSON(trusted: buffer.slice($0)) } }
    }

    /// The same object with one top-level member's value replaced, or added at the end. All other bytes stay.
    package func replacing(_ name: String, with value: RawJSON) -> RawJSON {
        var places: [Range<Int>] = []
        var end = 0
        forEachMember { member, place in
            if member.isEqual(to: name) { places.append(place) }
            end = place.upperBound
        }
        if !places.isEmpty { return splicing(places.map { ($0, value.buffer) }) }
        var addition = ByteBuffer(string: (end == 0 ? "" : ",") + JSON.quoted(name) + ":")
        addition.writeImmutableBuffer(value.buffer)
        // An object without members is `{}` whatever space is in it.
        guard end > 0 else { return RawJSON(trusted: ByteBuffer(string: "{\(String(buffer: addition))}")) }
        return splicing([(end..<end, addition)])
    }

    /// The same object without some of its members. All other bytes stay.
    package func removing(_ names: [String]) -> RawJSON {
        var kept: [Range<Int>] = []
        var isChanged = false
        forEachMember { member, place in
            if names.contains(where: { member.isEqual(to: $0) }) {
                isChanged = true
            } else {
                kept.append(member.range.lowerBound - 1..<place.upperBound)
            }
        }
        guard isChanged else { return self }
        var out = ByteBuffer()
        out.reserveCapacity(buffer.readableBytes)
        out.writeString("{")
        for (number, range) in kept.enumerated() {
            if number > 0 { out.writeString(",") }
            out.writeImmutableBuffer(buffer.slice(range))
        }
        out.writeString("}")
        return RawJSON(trusted: out)
    }

    /// The same bytes with these parts of them, in order and apart, exchanged.
    private func splicing(_ parts: [(range: Range<Int>, bytes: ByteBuffer)]) -> RawJSON {
        var out = ByteBuffer()
        out.reserveCapacity(parts.reduce(buffer.readableBytes) { $0 + $1.bytes.readableBytes })
        var position = 0
        for part in parts {
            out.writeImmutableBuffer(buffer.slice(position..<part.range.lowerBound))
            out.writeImmutableBuffer(part.bytes)
            position = part.range.upperBound
        }
        out.writeImmutableBuffer(buffer.slice(position..<buffer.readableBytes))
        return RawJSON(trusted: out)
    }

    /// A member's name among the bytes of its object.
    private struct MemberName {
        let bytes: UnsafeRawBufferPointer
        let range: Range<Int>
        let isEscaped: Bool

        func isEqual(to name: StaticString) -> Bool {
            guard !isEscaped else { return isEqual(to: name.description) }
            guard range.count == name.utf8CodeUnitCount else { return false }
            return UnsafeRawBufferPointer(rebasing: bytes[range]).elementsEqual(
                UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        }

        func isEqual(to name: String) -> Bool {
            guard !isEscaped else { return JSONScanner(bytes).text(range, escaped: true) == name }
            return range.count == name.utf8.count
                && UnsafeRawBufferPointer(rebasing: bytes[range]).elementsEqual(name.utf8)
        }
    }

    private func forEachMember(_ visit: (MemberName, Range<Int>) -> Void) {
        guard isObject else { return }
        buffer.withUnsafeReadableBytes { bytes in
            var scanner = JSONScanner(bytes)
            // Checked when this value was made, so it cannot fail here.
            try? scanner.forEachMember { name, escaped, value in
                visit(MemberName(bytes: bytes, range: name, isEscaped: escaped), value)
            }
        }
    }

    /// The text of a string; nil for anything else.
    package var string: String? {
        buffer.withUnsafeReadableBytes { bytes in
            var scanner = JSONScanner(bytes)
            guard scanner.current == UInt8(ascii: "\""), let text = try? scanner.skipString() else { return nil }
            return scanner.text(text.range, escaped: text.escaped)
        }
    }

    /// Whether it is `null`, the word.
    package var isNull: Bool { buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) == UInt8(ascii: "n") }
    /// Whether it is `true`, the word.
    package var isTrue: Bool { buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) == UInt8(ascii: "t") }

    /// The same value on one line: line breaks may stand between a value's parts, never within them.
    package var onOneLine: RawJSON {
        let isBreak: (UInt8) -> Bool = { $0 == 0x0A || $0 == 0x0D }
        guard buffer.withUnsafeReadableBytes({ $0.contains(where: isBreak) }) else { return self }
        return RawJSON(trusted: ByteBuffer(bytes: buffer.readableBytesView.lazy.map { isBreak($0) ? 0x20 : $0 }))
    }

    /// The array of these values, their bytes as they are.
    package init(array values: some Collection<RawJSON>) {
        var out = ByteBuffer()
        out.reserveCapacity(values.reduce(2) { $0 + $1.buffer.readableBytes + 1 })
        out.writeString("[")
        var isFirst = true
        for value in values {
            if !isFirst { out.writeString(",") }
            isFirst = false
            out.writeImmutableBuffer(value.buffer)
        }
        out.writeString("]")
        buffer = out
    }

    /// The object of these members, their values' bytes as they are.
    package init(object members: [(name: String, value: RawJSON)]) {
        var out = ByteBuffer()
        out.reserveCapacity(members.reduce(2) { $0 + $1.value.buffer.readableBytes + $1.name.utf8.count + 4 })
        out.writeString("{")
        for (number, member) in members.enumerated() {
            out.writeString((number == 0 ? "" : ",") + JSON.quoted(member.name) + ":")
            out.writeImmutableBuffer(member.value.buffer)
        }
        out.writeString("}")
        buffer = out
    }

    static func requireUTF8(_ bytes: UnsafeRawBufferPointer) throws {
        // Most of it is plain ASCII, which needs no copy to be looked at.
        if bytes.allSatisfy({ $0 < 0x80 }) { return }
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
