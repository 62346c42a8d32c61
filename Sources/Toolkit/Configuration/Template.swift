package import Core

/// A text with `{{ path | function | … }}` in it, as catalogs write what depends on the user's configuration.
package struct Template: Sendable {
    private enum Part: Sendable {
        case text(Substring)
        case term(path: Substring, functions: [Substring])
    }

    private let parts: [Part]

    package init(_ text: String) {
        var parts: [Part] = []
        var rest = text[...]
        while let open = rest.firstRange(of: "{{"), let close = rest[open.upperBound...].firstRange(of: "}}") {
            if open.lowerBound > rest.startIndex { parts.append(.text(rest[..<open.lowerBound])) }
            let words = rest[open.upperBound..<close.lowerBound].split(separator: "|").map(Self.trimmed)
            parts.append(.term(path: words.first ?? "", functions: Array(words.dropFirst())))
            rest = rest[close.upperBound...]
        }
        if !rest.isEmpty { parts.append(.text(rest)) }
        self.parts = parts
    }

    /// Whether there is anything to fill in.
    package var isPlain: Bool { !parts.contains { if case .term = $0 { true } else { false } } }

    /// - Parameter values: looked up by dotted paths; what is missing is the empty text.
    /// - Returns: the value's own kind where the template is one term and nothing else; else a text.
    package func evaluated(in values: JSON) -> JSON {
        if parts.count == 1, case .term(let path, let functions) = parts[0] {
            return Self.evaluate(path, functions, values)
        }
        return .string(
            parts.map { part in
                switch part {
                case .text(let text): String(text)
                case .term(let path, let functions): Self.text(Self.evaluate(path, functions, values))
                }
            }.joined())
    }

    private static func evaluate(_ path: Substring, _ functions: [Substring], _ values: JSON) -> JSON {
        let steps = path.split(separator: ".")
        let found = steps.isEmpty ? .null : steps.reduce(values) { $0[String($1)] ?? .null }
        return functions.reduce(found.isNull ? "" : found) { apply($1, to: $0) }
    }

    private static func apply(_ function: Substring, to value: JSON) -> JSON {
        let words = function.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let argument = words.count > 1 ? words[1] : ""
        switch words.first {
        case "into": return value.array == nil ? (isEmpty(value) ? [] : [value]) : value
        case "first": return value.array.map { $0.first ?? "" } ?? value
        case "last": return value.array.map { $0.last ?? "" } ?? value
        case "or": return isEmpty(value) ? fallback(argument) : value
        case "volume": return each(value) { "\($0):\($0)" }
        case "volume-target": return each(value) { $0 }
        case "mount_as": return each(value) { $0.isEmpty ? "" : "\($0):\(argument)" }
        // A function that is not known changes nothing, as in the original.
        default: return value
        }
    }

    /// `or:x` is a text, `or:[a,b]` a list.
    private static func fallback(_ text: Substring) -> JSON {
        guard text.hasPrefix("["), text.hasSuffix("]") else { return .string(String(text)) }
        return .array(text.dropFirst().dropLast().split(separator: ",").map { .string(String(trimmed($0))) })
    }

    private static func each(_ value: JSON, _ change: (String) -> String) -> JSON {
        if let list = value.array { return .array(list.map { .string(change(text($0))) }) }
        return .string(isEmpty(value) ? "" : change(text(value)))
    }

    private static func isEmpty(_ value: JSON) -> Bool { value == "" || value == [] || value.isNull }

    /// A value as it stands in a text: lists with spaces between.
    package static func text(_ value: JSON) -> String {
        switch value {
        case .string(let text): text
        case .null: ""
        case .array(let list): list.map(text).joined(separator: " ")
        default: value.text
        }
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
