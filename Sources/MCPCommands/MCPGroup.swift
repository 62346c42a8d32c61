package import ArgumentParser
internal import Commands
internal import DockerEngine
internal import Terminal

/// `docker mcp …`
package struct MCPGroup: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "mcp", abstract: "Docker MCP Toolkit's CLI - Manage your MCP servers and clients.",
        version: WharfVersion.current,
        subcommands: [GatewayGroup.self, GrantsGroup.self, ToolsGroup.self, Version.self])

    package init() {}
}

struct GatewayGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway", abstract: "Manage the MCP Server gateway",
        subcommands: [GatewayRun.self, GatewayStatus.self])
}

struct Version: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the version information", usage: "docker mcp version")

    func run() async throws { CommandContext.current.console.out.print(WharfVersion.current) }
}
