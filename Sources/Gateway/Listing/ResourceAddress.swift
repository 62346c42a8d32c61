/// How a resource is shown whose URI several servers use: `mcp-server://SERVER/URI`, the URI as it is.
enum ResourceAddress {
    private static let scheme = "mcp-server://"

    static func make(_ server: String, _ uri: String) -> String { "\(scheme)\(server)/\(uri)" }

    /// - Returns: nil for any other URI.
    static func parse(_ text: String) -> (server: String, uri: String)? {
        guard text.hasPrefix(scheme) else { return nil }
        let rest = text.dropFirst(scheme.count)
        guard let slash = rest.firstIndex(of: "/"), slash > rest.startIndex else { return nil }
        let uri = rest[rest.index(after: slash)...]
        return uri.isEmpty ? nil : (String(rest[..<slash]), String(uri))
    }
}

/// A URI template, as far as finding out which one a URI was made from: an expression stands for any text.
struct URITemplate: Sendable {
    private let literals: [[UInt8]]

    init(_ text: String) {
        var literals: [[UInt8]] = [[]]
        var isInside = false
        for byte in text.utf8 {
            switch (byte, isInside) {
            case (UInt8(ascii: "{"), false):
                isInside = true
                literals.append([])
            case (UInt8(ascii: "}"), true): isInside = false
            case (_, true): break
            case (_, false): literals[literals.count - 1].append(byte)
            }
        }
        self.literals = literals
    }

    /// - Returns: how many bytes of the URI are the template's own, nil where it does not fit.
    func match(_ uri: String) -> Int? {
        let text = Array(uri.utf8)
        let weight = literals.reduce(0) { $0 + $1.count }
        guard let first = literals.first, let last = literals.last, text.count >= weight, text.starts(with: first)
        else {
            return nil
        }
        guard literals.count > 1 else { return text.count == first.count ? weight : nil }
        guard text.suffix(last.count).elementsEqual(last) else { return nil }
        // Between the ends each literal is taken where it comes first: what follows has the most room then.
        var rest = text[first.count..<(text.count - last.count)]
        for literal in literals.dropFirst().dropLast() where !literal.isEmpty {
            guard let end = Self.end(of: literal, in: rest) else { return nil }
            rest = rest[end...]
        }
        return weight
    }

    private static func end(of literal: [UInt8], in text: ArraySlice<UInt8>) -> Int? {
        guard text.count >= literal.count else { return nil }
        return (text.startIndex...(text.endIndex - literal.count)).first { text[$0...].starts(with: literal) }
            .map { $0 + literal.count }
    }
}
