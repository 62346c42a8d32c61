internal import ArgumentParser
internal import Commands
internal import Core
internal import DockerEngine
internal import MCPCommands
internal import ModelCommands
internal import SystemPackage
internal import Terminal

/// One program under three names: `wharf`, and as docker's plugins `docker-model` and `docker-mcp`.
enum Program {
    static func run(_ arguments: [String]) async -> Int32 {
        guard let invocation = PluginInvocation(arguments: arguments) else {
            return await CommandRunner.run(WharfRoot.self, Array(arguments.dropFirst()))
        }
        if invocation.isMetadataRequest {
            CommandContext.current.console.out.print(Plugin.metadata(name: invocation.name).text)
            return 0
        }
        var paths = CommandContext.current.paths
        if let folder = invocation.globals.configDirectory {
            paths = Paths(environment: paths.environment.merging(["DOCKER_CONFIG": folder]) { $1 })
        }
        let context = CommandContext(
            console: CommandContext.current.console, paths: paths, globals: invocation.globals,
            program: CommandContext.current.program)
        return await CommandContext.$current.withValue(context) {
            // `help` first, so that it explains the command and not the root.
            let words = invocation.arguments
            let line =
                words.first == "help" ? ["help", invocation.name] + words.dropFirst() : [invocation.name] + words
            return await CommandRunner.run(DockerRoot.self, line)
        }
    }
}

struct WharfRoot: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wharf", abstract: "Local models and MCP servers for people who live in Docker",
        version: WharfVersion.current, subcommands: [ModelGroup.self, MCPGroup.self, Serve.self])
}

/// What docker's own command line looks like around its plugins: so usage lines read `docker model …`.
struct DockerRoot: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "docker", version: WharfVersion.current, subcommands: [ModelGroup.self, MCPGroup.self])
}
