/// The two negotiations of the transport, on the plain text of the headers.
enum MediaRange {
    /// Whether an `Accept` header lets every one of the types through; one that is missing lets everything through.
    static func accepts(_ header: String?, _ types: String...) -> Bool {
        guard let header else { return true }
        let ranges = header.utf8.split(separator: UInt8(ascii: ",")).compactMap(range)
        return types.allSatisfy { type in
            let family = type.utf8.prefix { $0 != UInt8(ascii: "/") }
            return ranges.contains { range in
                range.elementsEqual(type.utf8) || range.elementsEqual("*/*".utf8)
                    || range.elementsEqual(Array(family) + Array("/*".utf8))
            }
        }
    }

    /// Whether a `Content-Type` header names the type.
    static func isType(_ header: String?, _ type: String) -> Bool {
        header.flatMap { range($0.utf8[...]) }?.elementsEqual(type.utf8) ?? false
    }

    /// `type/subtype` in lower case; nil where its quality is zero.
    private static func range(_ text: Substring.UTF8View) -> ArraySlice<UInt8>? {
        let plain = text.filter { $0 > 0x20 }.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
        let parts = plain.split(separator: UInt8(ascii: ";"))
        let isRefused = parts.dropFirst().contains { part in
            part.starts(with: "q=".utf8) && (Double(String(decoding: part.dropFirst(2), as: UTF8.self)) ?? 1) == 0
        }
        return isRefused ? nil : parts.first
    }
}
