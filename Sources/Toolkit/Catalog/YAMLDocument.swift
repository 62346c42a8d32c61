internal import Core
internal import NIOCore
internal import Yams

/// A YAML file as a tree, its size bounded before and after its aliases have been followed.
enum YAMLDocument {
    /// Nodes a document may expand to: YAML's aliases can make millions of a few lines.
    private static let maximumNodes = 2_000_000

    /// - Returns: nil for a file without content.
    /// - Throws: `.invalidArgument` for what is no YAML.
    static func parse(_ yaml: ByteBuffer) throws -> Node? {
        guard let text = String(validating: yaml.readableBytesView, as: UTF8.self) else {
            throw Failure(.invalidArgument, "it is no UTF-8 text")
        }
        try YAMLAliases.check(text)
        do {
            guard let root = try Parser(yaml: text, encoding: .utf8).singleRoot() else { return nil }
            var budget = maximumNodes
            try count(root, depth: 0, &budget)
            return root
        } catch let error as YamlError {
            throw Failure(.invalidArgument, "it is no YAML: \(error.line)")
        }
    }

    private static func count(_ node: Node, depth: Int, _ budget: inout Int) throws {
        budget -= 1
        guard budget > 0, depth < 100 else {
            throw Failure(.resourceExhausted, "it is too large or nested too deeply")
        }
        switch node {
        case .mapping(let mapping):
            for (key, value) in mapping {
                try count(key, depth: depth + 1, &budget)
                try count(value, depth: depth + 1, &budget)
            }
        case .sequence(let sequence): for element in sequence { try count(element, depth: depth + 1, &budget) }
        default: break
        }
    }
}

extension Node {
    /// The node as JSON; what is neither text, number, flag nor null stays text.
    var json: JSON {
        switch self {
        case .mapping(let mapping):
            return .object(JSON.Object(mapping.compactMap { key, value in key.string.map { ($0, value.json) } }))
        case .sequence(let sequence): return .array(sequence.map(\.json))
        default:
            if null != nil { return .null }
            if let flag = bool { return .bool(flag) }
            if let number = int { return .int(number) }
            if let number = float, number.isFinite { return .number("\(number)") }
            return .string(string ?? "")
        }
    }
}

extension YamlError {
    /// What is wrong and where, on one line and without the excerpt.
    var line: String {
        switch self {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            "\(problem) in line \(mark.line), column \(mark.column)"
        case .reader(let problem, _, _, _): problem
        case .duplicatedKeysInMapping(_, let context): "a key is there twice from line \(context.mark.line) on"
        default: "it cannot be read"
        }
    }
}
