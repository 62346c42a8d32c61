internal import ArgumentParser
internal import Commands
internal import Core
internal import Gateway
internal import MCP
internal import Terminal

struct ToolsList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List the servers' tools", usage: "docker mcp tools ls [OPTIONS]",
        aliases: ["list"])

    @OptionGroup var options: ToolsOptions

    func run() async throws {
        let out = CommandContext.current.console.out
        let format = options.format
        try await options.withGateway { gateway in
            let tools = try await gateway.surface().tools
            if format == .json {
                out.print(JSON.array(try tools.map { try $0.definition.parsed() }).text(indent: 2))
                return
            }
            out.print("\(ToolSummary.count(tools.count)):")
            for tool in tools { out.print(" - \(tool.name) - \(ToolSummary.text(of: tool))".printable) }
        }
    }
}

struct ToolsCount: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "count", abstract: "Count the servers' tools", usage: "docker mcp tools count [OPTIONS]")

    @OptionGroup var options: ToolsOptions

    func run() async throws {
        let out = CommandContext.current.console.out
        let format = options.format
        try await options.withGateway { gateway in
            let count = try await gateway.surface().tools.count
            out.print(format == .json ? JSON.object(.init([("count", .int(count))])).text : ToolSummary.count(count))
        }
    }
}

/// What a tool does, in a line.
enum ToolSummary {
    static func count(_ number: Int) -> String { "\(number) tool\(number == 1 ? "" : "s")" }

    /// Its title, else its description up to the first mention of what it returns.
    static func text(of tool: Tool) -> String {
        let json = (try? tool.definition.parsed()) ?? .null
        if let title = json["annotations"]?["title"]?.string ?? json["title"]?.string, !title.isEmpty { return title }
        var text = (json["description"]?.string ?? "").replacing("\n", with: " ")[...]
        for mark in ["Returns:", "Error Responses:"] {
            if let range = text.firstRange(of: mark) { text = text[..<range.lowerBound] }
        }
        if let end = text.firstRange(of: ". ") { text = text[..<end.lowerBound] + "." }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
