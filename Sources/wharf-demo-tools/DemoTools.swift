internal import Core
internal import MCP
internal import NIOCore
internal import SystemPackage

/// The demonstration's five tools, over the files baked into the image.
struct DemoTools: Sendable {
    /// The only folder the file tools read below.
    let root: FilePath

    var entries: [ToolServer.Entry] {
        [
            ToolServer.Entry(
                tool("read_file", "Reads a text file.", [("path", "string")]),
                call: { try ToolResult(text: read(try text("path", of: $0))) }),
            ToolServer.Entry(
                tool("list_files", "Lists the files in a folder.", [("path", "string")]),
                call: { try ToolResult(text: list(try text("path", of: $0))) }),
            ToolServer.Entry(
                tool("get_time", "Tells the time of day in UTC.", []),
                call: { _ in ToolResult(text: time()) }),
            ToolServer.Entry(
                tool("add", "Adds two whole numbers.", [("a", "integer"), ("b", "integer")]),
                call: { ToolResult(text: String(try sum(number("a", of: $0), number("b", of: $0)))) }),
            ToolServer.Entry(
                tool("echo", "Says the text again.", [("text", "string")]),
                call: { ToolResult(text: try text("text", of: $0)) }),
        ]
    }

    private func tool(_ name: String, _ description: String, _ properties: [(String, String)]) -> Tool {
        Tool(
            name: name, description: description,
            inputSchema: [
                "type": "object",
                "properties": .object(JSON.Object(properties.map { ($0.0, ["type": .string($0.1)]) })),
                "required": .array(properties.map { .string($0.0) }),
            ],
            annotations: ["readOnlyHint": true, "openWorldHint": false])
    }

    private func read(_ path: String) throws -> String {
        let file = try resolve(path)
        var text = String(buffer: try Files.read(file, limit: 1 << 20))
        if text.last == "\n" { text.removeLast() }
        return text
    }

    private func list(_ path: String) throws -> String {
        let folder = try resolve(path)
        return try Files.wrap("cannot list \(path)") { try POSIX.list(folder) }.joined(separator: "\n")
    }

    private func time() -> String { String(Timestamp.now.rfc3339.dropFirst(11).prefix(5)) }

    private func sum(_ a: Int, _ b: Int) throws -> Int {
        let (sum, overflow) = a.addingReportingOverflow(b)
        if overflow { throw Failure(.invalidArgument, "the sum does not fit in 64 bits") }
        return sum
    }

    /// A path below the root, given relative to it or absolute; links may not lead out.
    private func resolve(_ path: String) throws -> FilePath {
        let asked = FilePath(path)
        let absolute = asked.isAbsolute ? asked : root.pushing(asked)
        let real = try Files.wrap("cannot open \(path)") { try POSIX.resolve(absolute) }
        guard real.starts(with: root) else { throw Failure(.forbidden, "\(path) is outside of \(root)") }
        return real
    }

    private func text(_ name: String, of arguments: JSON.Object) throws -> String {
        guard let value = arguments[name]?.string else { throw Failure(.invalidArgument, "\(name) must be a string") }
        return value
    }

    private func number(_ name: String, of arguments: JSON.Object) throws -> Int {
        guard let value = arguments[name]?.int else {
            throw Failure(.invalidArgument, "\(name) must be a whole number")
        }
        return value
    }
}
