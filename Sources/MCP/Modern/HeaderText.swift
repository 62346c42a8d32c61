internal import Core

/// A JSON string as the value of an HTTP header: plain where that is safe, else `=?base64?…?=`.
package enum HeaderText {
    private static let open = "=?base64?"
    private static let close = "?="

    package static func encode(_ text: String) -> String {
        isPlain(text) ? text : open + Base64.encode(Array(text.utf8)) + close
    }

    /// - Parameter value: as it came; white space around it does not count.
    /// - Returns: nil for what no correct sender writes.
    package static func decode(_ value: String) -> String? {
        let text = trimmed(value)
        guard text.utf8.allSatisfy({ (0x20...0x7E).contains($0) || $0 == 0x09 }) else { return nil }
        guard isMarked(text) else { return text }
        let inner = text.dropFirst(open.count).dropLast(close.count)
        // Canonical only: two spellings of one value would let two readers differ.
        guard let bytes = Base64.decode(inner), Base64.encode(bytes) == inner else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func isMarked(_ text: String) -> Bool {
        text.utf8.count >= open.utf8.count + close.utf8.count && text.hasPrefix(open) && text.hasSuffix(close)
    }

    private static func isPlain(_ text: String) -> Bool {
        text.utf8.allSatisfy { (0x20...0x7E).contains($0) } && text.utf8.first != 0x20 && text.utf8.last != 0x20
            && !isMarked(text)
    }

    private static func trimmed(_ text: String) -> String {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        guard text.first.map(isSpace) == true || text.last.map(isSpace) == true else { return text }
        return String(text.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
    }

    /// Whether a name may stand in a header's name.
    static func isToken(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 128
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }
}
