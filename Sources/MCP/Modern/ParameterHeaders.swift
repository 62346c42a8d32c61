package import Core

/// Which arguments of a tool its server wants in headers too: the `x-mcp-header` annotations of an input schema.
package struct ParameterHeaders: Sendable, Hashable {
    package static let annotation = "x-mcp-header"
    package static let prefix = "Mcp-Param-"
    private static let maximum = 64

    private enum Kind: String, Sendable, Hashable { case string, integer, boolean }

    private struct Entry: Sendable, Hashable {
        let path: [String]
        let name: String
        let kind: Kind
    }

    private var entries: [Entry] = []

    package var isEmpty: Bool { entries.isEmpty }

    /// No annotations: what an unknown schema asks for.
    package init() {}

    /// Reads the annotations of a tool's definition.
    ///
    /// - Throws: `.invalidArgument` saying what is wrong with one; the tool must not be offered over HTTP then.
    package init(ofTool definition: RawJSON) throws {
        // Most tools have none, and a schema may be large.
        guard let schema = definition["inputSchema"], schema.text.contains(Self.annotation) else {
            self.init()
            return
        }
        try self.init(schema: try schema.parsed())
    }

    package init(schema: JSON) throws {
        try walk(schema, path: [])
        var seen: Set<String> = []
        for entry in entries where !seen.insert(entry.name.lowercased()).inserted {
            throw Self.wrong(entry.path, "the header \(entry.name) is used twice")
        }
    }

    private static func wrong(_ path: [String], _ what: String) -> Failure {
        Failure(.invalidArgument, "\(annotation) at \(path.joined(separator: "."))".prefixed(200) + ": \(what)")
    }

    /// - Parameter path: nil where arguments cannot be found by names alone.
    private mutating func walk(_ schema: JSON, path: [String]?) throws {
        guard let members = schema.object?.members else { return }
        for (keyword, value) in members {
            switch keyword {
            case Self.annotation: try note(value, schema, path)
            case "properties":
                for (name, property) in value.object?.members ?? [] {
                    try walk(property, path: path.map { $0 + [name] })
                }
            case "items", "contains", "unevaluatedItems", "additionalProperties", "propertyNames",
                "unevaluatedProperties", "not", "if", "then", "else", "contentSchema":
                try walk(value, path: nil)
            case "allOf", "anyOf", "oneOf", "prefixItems":
                for element in value.array ?? [] { try walk(element, path: nil) }
            case "patternProperties", "dependentSchemas", "$defs", "definitions":
                for (_, element) in value.object?.members ?? [] { try walk(element, path: nil) }
            default: break
            }
        }
    }

    private mutating func note(_ value: JSON, _ schema: JSON, _ path: [String]?) throws {
        guard let path, !path.isEmpty else {
            throw Self.wrong(path ?? [], "it is not on a property that is reached by properties alone")
        }
        guard let name = value.string, HeaderText.isToken(name) else {
            throw Self.wrong(path, "its value cannot be part of a header's name")
        }
        guard let kind = schema["type"]?.string.flatMap(Kind.init(rawValue:)) else {
            throw Self.wrong(path, "its property is neither string, integer nor boolean")
        }
        guard entries.count < Self.maximum else { throw Self.wrong(path, "there are more than \(Self.maximum)") }
        entries.append(Entry(path: path, name: name, kind: kind))
    }

    /// The headers that go with these arguments: those of values that are there.
    package func headers(for arguments: RawJSON?) -> [(name: String, value: String)] {
        entries.compactMap { entry in
            guard let text = Self.value(at: entry.path, in: arguments).flatMap(Self.rendered) else { return nil }
            return (Self.prefix + entry.name, HeaderText.encode(text))
        }
    }

    /// Compares headers with arguments.
    ///
    /// - Parameter header: the values of a header, by a name whose case does not matter.
    /// - Throws: −32020 naming the first that does not agree.
    package func check(_ arguments: RawJSON?, header: (String) -> [String]) throws(RPC.Error) {
        for entry in entries {
            let name = Self.prefix + entry.name
            let values = header(name)
            guard values.count <= 1 else { throw .headerMismatch("\(name) is there more than once") }
            let value = Self.value(at: entry.path, in: arguments)
            switch (values.first, value) {
            case (nil, nil): continue
            case (nil, let value?):
                // What no sender can write as a header is expected from none.
                if Self.rendered(value) != nil { throw .headerMismatch("\(name) is missing") }
            case (_?, nil): throw .headerMismatch("\(name) is there, but not its argument")
            case (let header?, let value?):
                guard let text = HeaderText.decode(header) else {
                    throw .headerMismatch("\(name) has characters that do not belong there")
                }
                guard Self.agrees(text, value, entry.kind) else {
                    throw .headerMismatch("\(name) is another value than its argument")
                }
            }
        }
    }

    private static func value(at path: [String], in arguments: RawJSON?) -> JSON? {
        var node = arguments
        for name in path { node = node?[name] }
        guard let node, !node.isNull, !node.isObject, !node.isArray else { return nil }
        return try? node.parsed()
    }

    private static func rendered(_ value: JSON) -> String? {
        switch value {
        case .string(let text): text
        case .bool(let flag): flag ? "true" : "false"
        case .number(let text): value.int.map(String.init) ?? text
        default: nil
        }
    }

    private static func agrees(_ text: String, _ value: JSON, _ kind: Kind) -> Bool {
        if kind == .integer, case .number = value, let number = value.int, abs(number) <= 1 << 53 - 1 {
            return decimal(text) == number
        }
        return rendered(value) == text
    }

    /// `42`, and `42.0`, which is the same number; nothing with an exponent.
    private static func decimal(_ text: String) -> Int? {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first, !whole.isEmpty, !whole.hasPrefix("+") else { return nil }
        if parts.count == 2, parts[1].isEmpty || !parts[1].allSatisfy({ $0 == "0" }) { return nil }
        return Int(whole)
    }
}

extension String {
    fileprivate func prefixed(_ count: Int) -> String { String(prefix(count)) }
}
