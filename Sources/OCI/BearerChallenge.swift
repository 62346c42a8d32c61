/// A registry's request for a token: `WWW-Authenticate: Bearer realm="…",service="…",scope="…"`.
struct BearerChallenge: Hashable, Sendable {
    let realm: String
    let service: String?
    let scope: String?

    /// nil for another scheme, a missing realm or a header that does not follow the grammar.
    init?(_ header: String) {
        guard header.utf8.count <= 8192 else { return nil }
        var rest = header[...].drop(while: \.isWhitespace)
        guard rest.prefix(7).lowercased() == "bearer " else { return nil }
        rest = rest.dropFirst(7)
        var parameters: [String: String] = [:]
        while true {
            rest = rest.drop { $0.isWhitespace || $0 == "," }
            if rest.isEmpty { break }
            guard let equals = rest.firstIndex(of: "=") else { return nil }
            let name = rest[..<equals].lowercased()
            rest = rest[rest.index(after: equals)...]
            guard let value = Self.takeValue(&rest) else { return nil }
            parameters[name] = value
        }
        guard let realm = parameters["realm"] else { return nil }
        self.realm = realm
        service = parameters["service"]
        scope = parameters["scope"]
    }

    private static func takeValue(_ rest: inout Substring) -> String? {
        guard rest.first == "\"" else {
            let value = rest.prefix { $0 != "," && !$0.isWhitespace }
            rest = rest[value.endIndex...]
            return String(value)
        }
        rest.removeFirst()
        var value = ""
        while let character = rest.popFirst() {
            switch character {
            case "\"": return value
            case "\\":
                guard let escaped = rest.popFirst() else { return nil }
                value.append(escaped)
            default: value.append(character)
            }
        }
        return nil
    }
}
