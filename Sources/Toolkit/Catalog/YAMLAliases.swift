internal import Core

/// Bounds what YAML's aliases can blow a document up to, before it is parsed: the parser compares the keys of a mapping
/// as a whole, and takes for ever where a key stands for billions of nodes.
///
/// n aliases multiply a document at most 3^(n/3) times, so a few are harmless. Catalogs have none. The count may find
/// more than there are (in quoted text), never fewer.
enum YAMLAliases {
    static let maximum = 16

    static func check(_ yaml: String) throws {
        let anchors = Set(names(in: yaml, behind: UInt8(ascii: "&")))
        guard !anchors.isEmpty else { return }
        let aliases = names(in: yaml, behind: UInt8(ascii: "*")).count { anchors.contains($0) }
        guard aliases <= maximum else {
            throw Failure(
                .resourceExhausted, "it uses \(aliases) YAML aliases; no more than \(maximum) are followed",
                advice: "Write the values out.")
        }
    }

    /// The names behind a mark, wherever it is.
    private static func names(in yaml: String, behind mark: UInt8) -> [Substring] {
        var found: [Substring] = []
        let bytes = yaml.utf8
        var from = bytes.startIndex
        while let at = bytes[from...].firstIndex(of: mark) {
            let start = bytes.index(after: at)
            let end = bytes[start...].firstIndex { !isNameByte($0) } ?? bytes.endIndex
            if start < end { found.append(yaml[start..<end]) }
            from = end
        }
        return found
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
