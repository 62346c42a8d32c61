internal import Core

/// Takes a Modelfile's text apart into instructions, each with its whole value.
struct ModelfileReader {
    struct Instruction {
        /// From 1.
        let line: Int
        /// Lower case.
        let name: String
        /// The value's lines as they stand there, quotes included.
        fileprivate let raw: String
        /// The value without its quotes.
        let value: String

        /// The first word, and the value after it without its quotes.
        func split(_ what: String) throws -> (String, String) {
            let word = raw.prefix { !$0.isWhitespace }
            let rest = raw[word.endIndex...].drop { $0.isWhitespace }
            guard !word.isEmpty, !rest.isEmpty else {
                throw Modelfile.failure(line, "\(name.uppercased()) needs \(what)")
            }
            return (String(word), ModelfileReader.unquoted(String(rest)))
        }
    }

    private var lines: ArraySlice<Substring>
    private var number = 0

    init(_ text: String) {
        let text = text.hasPrefix("\u{FEFF}") ? text.dropFirst() : text[...]
        lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }[...]
    }

    /// - Throws: `.invalidArgument` for a line without a value or a text that does not end.
    mutating func next() throws -> Instruction? {
        while let line = nextLine() {
            let trimmed = line.drop { $0.isWhitespace }
            if trimmed.isEmpty || trimmed.hasPrefix("#") { continue }
            let name = trimmed.prefix { !$0.isWhitespace }.lowercased()
            let start = number
            let first = trimmed.drop { !$0.isWhitespace }.drop { $0.isWhitespace }
            // These two have a word of their own before what may be quoted.
            let hasWord = name == "parameter" || name == "message"
            let word = first.prefix { hasWord && !$0.isWhitespace }
            let text = first[word.endIndex...].drop { $0.isWhitespace }
            let value = try rest(of: text, from: start)
            return Instruction(
                line: start, name: name, raw: hasWord ? "\(word) \(value)" : value, value: Self.unquoted(value))
        }
        return nil
    }

    private mutating func nextLine() -> Substring? {
        guard let line = lines.popFirst() else { return nil }
        number += 1
        return line
    }

    /// The value that begins so, with the lines it goes on over.
    private mutating func rest(of first: Substring, from line: Int) throws -> String {
        let quote = first.hasPrefix("\"\"\"") ? "\"\"\"" : first.hasPrefix("\"") ? "\"" : ""
        func isEnd(_ text: Substring, _ taken: Int) -> Bool {
            let text = Self.trimmedEnd(text)
            return text.hasSuffix(quote) && text.count >= taken
        }
        guard !quote.isEmpty, !isEnd(first, 2 * quote.count) else { return String(Self.trimmedEnd(first)) }
        var value = String(first)
        while let next = nextLine() {
            value += "\n"
            if isEnd(next, quote.count) { return value + Self.trimmedEnd(next) }
            value += next
        }
        throw Modelfile.failure(line, "a text begins with \(quote) and does not end")
    }

    private static func trimmedEnd(_ text: Substring) -> Substring {
        var text = text
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }

    fileprivate static func unquoted(_ value: String) -> String {
        for quote in ["\"\"\"", "\""]
        where value.count >= 2 * quote.count && value.hasPrefix(quote) && value.hasSuffix(quote) {
            return String(value.dropFirst(quote.count).dropLast(quote.count))
        }
        return value
    }
}
