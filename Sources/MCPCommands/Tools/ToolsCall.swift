internal import ArgumentParser
internal import Commands
internal import Core
internal import Gateway
internal import MCP
internal import Terminal

struct ToolsCall: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "call", abstract: "Call a tool", usage: "docker mcp tools call [OPTIONS] TOOL [NAME=VALUE...]",
        discussion: """
            Values are read as the tool's schema wants them: a number for a number, true or false for a flag, JSON for a \
            list or an object. A name that comes several times makes a list. NAME:=JSON gives JSON as it is. A JSON \
            object alone gives all arguments at once.
            """)

    @OptionGroup var options: ToolsOptions
    @Argument(help: "The tool.") var tool: String
    @Argument(help: "Its arguments, NAME=VALUE.") var arguments: [String] = []

    func run() async throws {
        let console = CommandContext.current.console
        let (format, name, words) = (options.format, tool, arguments)
        try await options.withGateway { gateway in
            guard let tool = try await gateway.surface().tools.first(where: { $0.name == name }) else {
                throw options.noSuchTool(name)
            }
            let schema = try tool.definition.parsed()["inputSchema"] ?? .null
            let arguments = try ToolArguments(words, schema: schema).object
            let start = ContinuousClock.now
            let result = ToolResult(
                try await gateway.call(
                    name, params: RawJSON(["name": .string(name), "arguments": .object(arguments)])))
            let took = ContinuousClock.now - start
            if format == .json {
                console.out.print(try result.raw.parsed().text(indent: 2))
            } else {
                console.err.print("Tool call took: \(took.text)")
                if !result.isError { console.out.print(result.text.printable) }
            }
            if result.isError {
                throw Failure(.internalError, "error calling tool \(name): \(result.text.printable)")
            }
        }
    }
}

/// Arguments from the command line, typed by the tool's schema.
struct ToolArguments {
    let object: JSON.Object

    /// - Throws: `.invalidArgument` naming the word that does not fit.
    init(_ words: [String], schema: JSON) throws {
        if words.count == 1, words[0].first(where: { !$0.isWhitespace }) == "{" {
            object = try Self.wholeObject(words[0])
            return
        }
        var values: [(name: String, values: [JSON])] = []
        for word in words {
            guard let equals = word.firstIndex(of: "="), equals > word.startIndex else {
                throw Failure(
                    .invalidArgument, "'\(word)' is no NAME=VALUE",
                    advice: "Write \(word.isEmpty || word.hasPrefix("=") ? "NAME" : word)=VALUE, or NAME:=JSON.")
            }
            let text = String(word[word.index(after: equals)...])
            let isJSON = word[word.index(before: equals)] == ":"
            let name = String(isJSON ? word[..<word.index(before: equals)] : word[..<equals])
            let kind = schema["properties"]?[name]
            Self.add(name, isJSON ? try Self.json(text, name) : try Self.typed(text, name, kind), to: &values)
        }
        object = JSON.Object(
            values.map { name, values in
                let wantsList = Self.types(schema["properties"]?[name]).contains("array")
                let isList = values.count > 1 || (wantsList && values.first?.array == nil)
                return (name, isList ? .array(values) : values[0])
            })
    }

    private static func wholeObject(_ text: String) throws -> JSON.Object {
        do {
            if let object = try JSON(parsing: text).object { return object }
            throw Failure(.invalidArgument, "it is no object")
        } catch {
            throw Failure(
                .invalidArgument, "the arguments are no JSON object", cause: error,
                advice: "Write {\"NAME\": VALUE}, or NAME=VALUE for each.")
        }
    }

    private static func add(_ name: String, _ value: JSON, to values: inout [(name: String, values: [JSON])]) {
        if let place = values.firstIndex(where: { $0.name == name }) {
            values[place].values.append(value)
        } else {
            values.append((name, [value]))
        }
    }

    private static func types(_ schema: JSON?) -> [String] {
        schema?["type"]?.string.map { [$0] } ?? schema?["type"]?.array?.compactMap(\.string) ?? []
    }

    private static func typed(_ text: String, _ name: String, _ schema: JSON?) throws -> JSON {
        let types = types(schema)
        if types.isEmpty || types.contains("string") { return .string(text) }
        if types.contains("array"), !text.hasPrefix("[") { return try typed(text, name, schema?["items"]) }
        let value = try? JSON(parsing: text)
        let fits = types.contains { type in
            switch (type, value) {
            case ("integer", .number): value?.int != nil
            case ("number", .number), ("boolean", .bool), ("array", .array), ("object", .object), ("null", .null): true
            default: false
            }
        }
        guard fits, let value else {
            throw Failure(.invalidArgument, "\(name) must be of type \(types.joined(separator: " or ")), not \(text)")
        }
        return value
    }

    private static func json(_ text: String, _ name: String) throws -> JSON {
        do { return try JSON(parsing: text) } catch {
            throw Failure(.invalidArgument, "the value of \(name), \(text), is no JSON")
        }
    }
}
