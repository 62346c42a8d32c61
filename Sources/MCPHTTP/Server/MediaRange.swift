/// The two negotiations of the transport, on the plain text of the headers.
enum MediaRange {
    /// Whether an `Accept` header lets every one of the types through; one that is missing lets everything through.
    static func accepts(_ header: String?, _ types: String...) -> Bool {
        guard let header else { return true }
        let ranges = header.split(separator: ",").compactMap(range)
        return types.allSatisfy { type in
            let family = type.prefix { $0 != "/" } + "/*"
            return ranges.contains { $0 == "*/*" || $0 == family || $0 == type }
        }
    }

    /// Whether a `Content-Type` header names the type.
    static func isType(_ header: String?, _ type: String) -> Bool {
        header.flatMap { range($0[...]) } == type
    }

    /// `type/subtype` in lower case; nil where its quality is zero.
    private static func range(_ text: Substring) -> String? {
        let parts = text.lowercased().split(separator: ";").map { $0.filter { !$0.isWhitespace } }
        let isRefused = parts.dropFirst().contains { part in
            part.hasPrefix("q=") && (Double(part.dropFirst(2)) ?? 1) == 0
        }
        return isRefused ? nil : parts.first
    }
}
