internal import ArgumentParser
internal import Commands
internal import Core
internal import Gateway
internal import Terminal

/// The servers' tools from the command line, without a client.
struct ToolsGroup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tools", abstract: "Manage tools",
        subcommands: [ToolsCall.self, ToolsCount.self, ToolsInspect.self, ToolsList.self])
}

/// What all of them take.
struct ToolsOptions: ParsableArguments {
    enum Format: String, ExpressibleByArgument, CaseIterable {
        case list
        case json
    }

    @OptionGroup(title: "Gateway") var gateway: GatewayOptions
    @Option(help: "How to show it: list or json.") var format = Format.list
    @Flag(help: "Also show what the servers do.") var verbose = false

    /// Says how to see which tools there are, among the servers that were chosen.
    func noSuchTool(_ name: String) -> Failure {
        Failure(
            .notFound, "tool \(name) not found",
            advice: "`docker mcp tools ls\(gateway.choice)` lists those there are")
    }

    /// Runs `body` with the chosen servers started; they are removed afterwards.
    func withGateway(_ body: @escaping @Sendable (Gateway) async throws -> Void) async throws {
        let context = CommandContext.current
        let (err, verbose) = (context.console.err, verbose)
        let servers = try gateway.chosenServers(context.paths) { err.print("Warning: \($0)".printable) }
        let settings = try gateway.settings(context.paths)
        let unused = self.gateway.unusedPatterns
        try await gateway.withEngine(context) { engine in
            try await Gateway.run(
                servers: servers, settings: settings, engine: engine,
                onEvent: { event in
                    switch event {
                    case .failed(let server, let reason): err.print("Can't start \(server): \(reason)".printable)
                    case .warning(let text): err.print("Warning: \(text)".printable)
                    case .log(let server, let line) where verbose: err.print("- \(server): \(line)".printable)
                    default: break
                    }
                },
                { gateway in
                    try await gateway.waitUntilListed()
                    for pattern in unused(try await gateway.surface(), servers) {
                        err.print("Warning: --tools \(pattern) fits no tool of these servers".printable)
                    }
                    try await body(gateway)
                })
        }
    }
}
