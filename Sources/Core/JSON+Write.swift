package import NIOCore

extension JSON {
    /// The compact text, as it goes over a wire.
    package var text: String { text(indent: nil) }

    /// The text with every member on a line of its own, `indent` spaces per level, as Go's `MarshalIndent` lays it out.
    package func text(indent: Int?) -> String {
        var writer = JSONWriter(indent: indent)
        writer.write(self, level: 0)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    package var bytes: ByteBuffer {
        var writer = JSONWriter(indent: nil)
        writer.write(self, level: 0)
        return ByteBuffer(bytes: writer.bytes)
    }

    /// A string as a JSON string with its quotes.
    package static func quoted(_ string: String) -> String { JSON.string(string).text }
}

private struct JSONWriter {
    let indent: Int?
    var bytes: [UInt8] = []

    init(indent: Int?) { self.indent = indent }

    mutating func write(_ value: JSON, level: Int) {
        switch value {
        case .null: put("null")
        case .bool(let flag): put(flag ? "true" : "false")
        case .number(let text): bytes.append(contentsOf: text.utf8)
        case .string(let text): write(text)
        case .array(let elements):
            list(elements, "[", "]", level: level) { writer, element in writer.write(element, level: level + 1) }
        case .object(let object):
            list(object.members, "{", "}", level: level) { writer, member in
                writer.write(member.name)
                writer.put(writer.indent == nil ? ":" : ": ")
                writer.write(member.value, level: level + 1)
            }
        }
    }

    private mutating func list<Element>(
        _ elements: [Element], _ open: StaticString, _ close: StaticString, level: Int,
        _ writeElement: (inout JSONWriter, Element) -> Void
    ) {
        put(open)
        for (index, element) in elements.enumerated() {
            if index > 0 { put(",") }
            newline(level + 1)
            writeElement(&self, element)
        }
        if !elements.isEmpty { newline(level) }
        put(close)
    }

    private mutating func newline(_ level: Int) {
        guard let indent else { return }
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: level * indent))
    }

    private mutating func put(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private mutating func write(_ string: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""): put("\\\"")
            case UInt8(ascii: "\\"): put("\\\\")
            case 0x0A: put("\\n")
            case 0x0D: put("\\r")
            case 0x09: put("\\t")
            case 0..<0x20:
                put("\\u00")
                bytes.append(hexDigit(byte >> 4))
                bytes.append(hexDigit(byte & 15))
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
