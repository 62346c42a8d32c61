internal import ArgumentParser
internal import Commands
internal import Core
internal import Gateway
internal import MCP
internal import Terminal

struct ToolsInspect: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Show what a tool does and takes",
        usage: "docker mcp tools inspect [OPTIONS] TOOL")

    @OptionGroup var options: ToolsOptions
    @Argument(help: "The tool.") var tool: String

    func run() async throws {
        let out = CommandContext.current.console.out
        let (format, name) = (options.format, tool)
        try await options.withGateway { gateway in
            guard let tool = try await gateway.surface().tools.first(where: { $0.name == name }) else {
                throw options.noSuchTool(name)
            }
            let json = try tool.definition.parsed()
            out.print(format == .json ? json.text(indent: 2) : Self.text(json))
        }
    }

    static func text(_ tool: JSON) -> String {
        var lines = ["Name: \(tool["name"]?.string ?? "")", "Description: \(tool["description"]?.string ?? "")"]
        let required = (tool["inputSchema"]?["required"]?.array ?? []).compactMap(\.string)
        let properties = tool["inputSchema"]?["properties"]?.object?.members ?? []
        lines.append(properties.isEmpty ? "Arguments: none" : "Arguments:")
        for (name, schema) in properties {
            let kind = schema["type"]?.string ?? schema["type"]?.text ?? "any"
            let need = required.contains(name) ? "required" : "optional"
            let about = schema["description"]?.string.map { ": \($0)" } ?? ""
            lines.append("  \(name) (\(kind), \(need))\(about)")
        }
        return lines.joined(separator: "\n").printable
    }
}
