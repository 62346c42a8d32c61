/// Walks over the bytes of one JSON text without building anything: the base of `JSON.init(parsing:)` and `RawJSON`.
///
/// Strict RFC 8259: no comments, no trailing commas, no control characters in strings, valid UTF-8 (checked by the
/// callers once for the whole text), nesting bounded so that hostile input cannot exhaust the stack.
struct JSONScanner {
    static let maximumDepth = 128

    let bytes: UnsafeRawBufferPointer
    private(set) var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    func failure(_ what: String) -> Failure {
        Failure(.invalidArgument, "invalid JSON at byte \(position): \(what)")
    }

    mutating func skipWhitespace() {
        while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    /// Takes one byte if it is the expected one.
    mutating func take(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        position += 1
        return true
    }

    mutating func expect(_ byte: UInt8) throws {
        guard take(byte) else { throw failure("expected '\(Character(UnicodeScalar(byte)))'") }
    }

    mutating func expect(literal: StaticString) throws {
        for index in 0..<literal.utf8CodeUnitCount where !take(literal.utf8Start[index]) {
            throw failure("expected '\(literal)'")
        }
    }

    /// Nothing but white space may follow a complete text.
    mutating func expectEnd() throws {
        skipWhitespace()
        if position < bytes.count { throw failure("text after the value") }
    }

    /// Skips a string; returns the range between its quotes and whether it holds escapes.
    mutating func skipString() throws -> (range: Range<Int>, escaped: Bool) {
        try expect(UInt8(ascii: "\""))
        let start = position
        var escaped = false
        while let byte = current {
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return (start..<position - 1, escaped)
            case UInt8(ascii: "\\"):
                escaped = true
                try skipEscape()
            case 0..<0x20: throw failure("control character in a string")
            default: break
            }
        }
        throw failure("unterminated string")
    }

    private mutating func skipEscape() throws {
        guard let byte = current else { throw failure("unterminated string") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return
        case UInt8(ascii: "u"):
            for _ in 0..<4 {
                guard let digit = current, hexValue(digit) != nil else { throw failure("bad \\u escape") }
                position += 1
            }
        default: throw failure("bad escape")
        }
    }

    func hexValue(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    mutating func skipNumber() throws -> Range<Int> {
        let start = position
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try skipDigits() }
        if take(UInt8(ascii: ".")) { try skipDigits() }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            position += 1
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try skipDigits()
        }
        return start..<position
    }

    private mutating func skipDigits() throws {
        let start = position
        while let byte = current, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
        if position == start { throw failure("expected a digit") }
    }

    /// Skips any value, checking it; returns its range without surrounding white space.
    mutating func skipValue(depth: Int = 0) throws -> Range<Int> {
        guard depth < Self.maximumDepth else { throw failure("nested deeper than \(Self.maximumDepth)") }
        skipWhitespace()
        let start = position
        switch current {
        case UInt8(ascii: "{"): try forEachMember(depth: depth) { _, _, _ in }
        case UInt8(ascii: "["): try forEachElement(depth: depth) { _ in }
        case UInt8(ascii: "\""): _ = try skipString()
        case UInt8(ascii: "t"): try expect(literal: "true")
        case UInt8(ascii: "f"): try expect(literal: "false")
        case UInt8(ascii: "n"): try expect(literal: "null")
        case nil: throw failure("unexpected end")
        default: _ = try skipNumber()
        }
        return start..<position
    }

    /// Visits the members of the object that starts here: name range, whether the name has escapes, value range.
    mutating func forEachMember(
        depth: Int = 0, _ visit: (_ name: Range<Int>, _ escaped: Bool, _ value: Range<Int>) throws -> Void
    ) throws {
        try expect(UInt8(ascii: "{"))
        skipWhitespace()
        if take(UInt8(ascii: "}")) { return }
        repeat {
            skipWhitespace()
            let name = try skipString()
            skipWhitespace()
            try expect(UInt8(ascii: ":"))
            let value = try skipValue(depth: depth + 1)
            try visit(name.range, name.escaped, value)
            skipWhitespace()
        } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "}"))
    }

    mutating func forEachElement(depth: Int = 0, _ visit: (Range<Int>) throws -> Void) throws {
        try expect(UInt8(ascii: "["))
        skipWhitespace()
        if take(UInt8(ascii: "]")) { return }
        repeat {
            try visit(try skipValue(depth: depth + 1))
            skipWhitespace()
        } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "]"))
    }

    /// The text of a scanned string, its escapes resolved. A lone surrogate becomes U+FFFD.
    func text(_ range: Range<Int>, escaped: Bool) -> String {
        let slice = UnsafeRawBufferPointer(rebasing: bytes[range])
        guard escaped else { return String(decoding: slice, as: UTF8.self) }
        var out: [UInt8] = []
        out.reserveCapacity(slice.count)
        var index = 0
        while index < slice.count {
            let byte = slice[index]
            guard byte == UInt8(ascii: "\\") else {
                out.append(byte)
                index += 1
                continue
            }
            let kind = slice[index + 1]
            index += 2
            switch kind {
            case UInt8(ascii: "b"): out.append(0x08)
            case UInt8(ascii: "f"): out.append(0x0C)
            case UInt8(ascii: "n"): out.append(0x0A)
            case UInt8(ascii: "r"): out.append(0x0D)
            case UInt8(ascii: "t"): out.append(0x09)
            case UInt8(ascii: "u"):
                var unit = codeUnit(slice, index)
                index += 4
                if (0xD800..<0xDC00).contains(unit), index + 6 <= slice.count, slice[index] == UInt8(ascii: "\\"),
                    slice[index + 1] == UInt8(ascii: "u")
                {
                    let low = codeUnit(slice, index + 2)
                    if (0xDC00..<0xE000).contains(low) {
                        unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
                        index += 6
                    }
                }
                out.append(contentsOf: String(Character(UnicodeScalar(unit) ?? "\u{FFFD}")).utf8)
            default: out.append(kind)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private func codeUnit(_ slice: UnsafeRawBufferPointer, _ start: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 << 4 | (hexValue(slice[start + $1]) ?? 0) }
    }
}
