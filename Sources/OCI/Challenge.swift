/// One way in which a server wants to be told who asks: a scheme and its parameters, of a `WWW-Authenticate` header.
struct Challenge: Hashable, Sendable {
    /// Lower case.
    let scheme: String
    /// Names in lower case.
    let parameters: [String: String]

    static let maximumHeader = 8192

    /// All challenges of these headers, each of which may hold several. What does not follow the grammar ends its header.
    static func all(in headers: [String]) -> [Challenge] {
        headers.prefix(8).filter { $0.utf8.count <= maximumHeader }.flatMap { header in
            var reader = Reader(rest: header[...])
            return reader.read()
        }
    }

    private struct Reader {
        var rest: Substring

        mutating func read() -> [Challenge] {
            var found: [Challenge] = []
            var scheme: String?
            var parameters: [String: String] = [:]
            func end() {
                if let scheme { found.append(Challenge(scheme: scheme, parameters: parameters)) }
            }
            while true {
                rest = rest.drop { $0.isWhitespace || $0 == "," }
                let name = takeToken()
                if name.isEmpty { break }
                let gap = rest.prefix { $0 == " " || $0 == "\t" }
                if rest.dropFirst(gap.count).first == "=" {
                    guard scheme != nil else { break }
                    rest = rest.dropFirst(gap.count + 1).drop { $0 == " " || $0 == "\t" }
                    guard let value = takeValue() else { break }
                    parameters[name.lowercased()] = value
                } else {
                    end()
                    (scheme, parameters) = (name.lowercased(), [:])
                    skipToken68()
                }
            }
            end()
            return found
        }

        /// Some schemes have one word of base64 instead of parameters.
        private mutating func skipToken68() {
            let after = rest.drop { $0 == " " || $0 == "\t" }
            let word = after.prefix { $0.isLetter || $0.isNumber || "-._~+/".contains($0) }
            let padded = after[word.endIndex...].drop { $0 == "=" }
            let end = padded.drop { $0 == " " || $0 == "\t" }
            if !word.isEmpty, end.isEmpty || end.first == "," { rest = end }
        }

        private mutating func takeToken() -> Substring {
            let token = rest.prefix { $0.isLetter || $0.isNumber || "!#$%&'*+-.^_`|~".contains($0) }
            rest = rest[token.endIndex...]
            return token
        }

        private mutating func takeValue() -> String? {
            guard rest.first == "\"" else {
                let value = rest.prefix { $0 != "," && !$0.isWhitespace }
                rest = rest[value.endIndex...]
                return value.isEmpty ? nil : String(value)
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
}

/// A registry's request for a token: `Bearer realm="…",service="…"`.
struct BearerChallenge: Hashable, Sendable {
    let realm: String
    let service: String?

    /// nil for another scheme or a missing realm.
    init?(_ challenge: Challenge) {
        guard challenge.scheme == "bearer", let realm = challenge.parameters["realm"] else { return nil }
        self.realm = realm
        service = challenge.parameters["service"]
    }
}
