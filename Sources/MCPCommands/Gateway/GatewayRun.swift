internal import ArgumentParser
internal import Commands
internal import Core
internal import DockerEngine
internal import Gateway
internal import MCP
internal import SystemPackage
internal import Terminal
internal import Toolkit
internal import UnixSignals

struct GatewayRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run the gateway",
        usage: "docker mcp gateway run [--catalog FILE] --servers NAME[,NAME]",
        discussion: """
            Speaks MCP on stdin and stdout and starts each server in a container of its own: 1 CPU, 2 GiB without swap, \
            no network, no host files, no capabilities, a read-only root. When the client leaves, nothing is left.
            """)

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("The catalog file. (default: the catalog that ships with Wharf)", valueName: "file"))
    var catalog: [String] = []
    @Option(parsing: .singleValue, help: ArgumentHelp("The servers to run, separated by commas.", valueName: "names"))
    var servers: [String] = []
    @Option(help: "How clients reach the gateway: stdio.") var transport = "stdio"
    @Flag(help: "Also show what the servers write on their stderr.") var verbose = false

    func validate() throws {
        guard transport.lowercased() == "stdio" else {
            throw ValidationError("unknown transport \"\(transport)\", expected stdio")
        }
    }

    func run() async throws {
        let context = CommandContext.current
        let start = ContinuousClock.now
        let chosen = try chosenServers()
        let err = context.console.err
        err.print("- Those servers are enabled: \(chosen.map(\.name).joined(separator: ", "))")
        try await withHTTPClient { http in
            let endpoint = try EngineEndpoint.resolve(paths: context.paths, globals: context.globals)
            let engine = try await Engine.connect(client: http, endpoint: endpoint)
            try await untilSignalled {
                try await DownstreamSession.serve(servers: chosen, engine: engine, over: StdioTransport()) { event in
                    show(event, since: start, on: err)
                }
            }
        }
    }

    /// Runs `body` until it ends or SIGTERM or SIGINT comes; either way what it has started is put away.
    private func untilSignalled(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await body() }
            group.addTask { for await _ in signals { return } }
            defer { group.cancelAll() }
            do { try await group.next() } catch is CancellationError {}
        }
    }

    private func chosenServers() throws -> [Server] {
        let names = servers.flatMap { $0.split(separator: ",") }.map {
            String($0.trimmingPrefix(while: \.isWhitespace))
        }
        .filter { !$0.isEmpty }
        let catalogs = try catalog.flatMap { $0.split(separator: ",") }.map {
            try Catalog.load(path: FilePath(String($0)))
        }
        guard !names.isEmpty else {
            throw Failure(.invalidArgument, "no server is chosen", advice: "Name some: --servers demo-tools")
        }
        let all = try catalogs.isEmpty ? [Catalog.builtin()] : catalogs
        return try names.map { name in
            // Where several catalogs describe a server, the last one counts.
            for catalog in all.reversed() { if let server = try? catalog.server(named: name) { return server } }
            throw Failure(
                .notFound, "MCP server not found: \(name)",
                advice: "The catalogs have: \(all.flatMap { $0.servers.map(\.name) }.joined(separator: ", ")).")
        }
    }

    private func show(_ event: GatewayEvent, since start: ContinuousClock.Instant, on err: Console.Output) {
        switch event {
        case .started(let server, let container, let limits, _):
            err.print("  - Running \(server) in container \(container.prefix(12)) (\(limits))".printable)
        case .ready(let server, let tools, _):
            err.print("  > \(server): (\(tools) tools)".printable)
            err.print("> Initialized in \(ContinuousClock.now - start)")
        case .failed(let server, let reason): err.print("  > Can't start \(server): \(reason)".printable)
        case .log(let server, let line): if verbose { err.print("  - \(server): \(line)".printable) }
        case .called(let server, let tool, let took, let isError):
            err.print("  > \(server): \(tool) \(isError ? "failed" : "answered") in \(took)".printable)
        case .removed(let server, _): err.print("  - Removed \(server)".printable)
        }
    }
}
