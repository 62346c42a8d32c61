internal import ArgumentParser
internal import Commands
internal import Core
internal import DockerEngine
internal import MCPCommands
internal import ModelCommands
internal import SystemPackage
internal import Terminal
internal import Toolkit

/// One program under three names: `wharf`, and as docker's plugins `docker-model` and `docker-mcp`.
enum Program {
    static func run(_ arguments: [String]) async -> Int32 {
        guard let invocation = PluginInvocation(arguments: arguments) else {
            let words = Array(arguments.dropFirst())
            if let request = words.first.flatMap({ CompletionRequest(rawValue: $0) }) {
                return await complete(WharfRoot.self, Array(words.dropFirst()), request)
            }
            return await CommandRunner.run(WharfRoot.self, words, interruption: Interruption())
        }
        if invocation.isMetadataRequest {
            CommandContext.current.console.out.print(Plugin.metadata(name: invocation.name).text)
            return CommandRunner.concluded(0)
        }
        var paths = CommandContext.current.paths
        if let folder = invocation.globals.configDirectory {
            paths = Paths(environment: paths.environment.merging(["DOCKER_CONFIG": folder]) { $1 })
        }
        let context = CommandContext(
            console: CommandContext.current.console, paths: paths, globals: invocation.globals,
            program: CommandContext.current.program)
        return await CommandContext.$current.withValue(context) {
            let words = invocation.arguments
            if let request = invocation.completion {
                return await complete(DockerRoot.self, [invocation.name] + words, request)
            }
            // `help` first, so that it explains the command and not the root.
            let line =
                words.first == "help" ? ["help", invocation.name] + words.dropFirst() : [invocation.name] + words
            let interruption = Interruption(pluginSocket: paths.setting(PluginSocket.variable))
            return await CommandRunner.run(DockerRoot.self, line, interruption: interruption)
        }
    }

    private static func complete(
        _ root: any ParsableCommand.Type, _ words: [String], _ request: CompletionRequest
    ) async -> Int32 {
        await CommandRunner.complete(root, words, withDescriptions: request == .withDescriptions) { name in
            await values(name)
        }
    }

    /// What the arguments and options of these names can be on this machine.
    private static func values(_ name: String) async -> [Candidate] {
        switch name {
        case "model", "models": await ModelNames.ofRunningDaemon(CommandContext.current.paths).map { Candidate($0) }
        case "mcp", "servers", "server":
            ((try? Catalog.builtin().servers) ?? []).map { Candidate($0.name, $0.description ?? $0.title ?? "") }
        default: []
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
        commandName: "docker", subcommands: [ModelGroup.self, MCPGroup.self])
}
