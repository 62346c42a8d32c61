internal import ArgumentParser
internal import Bridge
internal import Commands
internal import Core
internal import Gateway
internal import MCP
internal import Terminal
internal import Toolkit

struct GatewayRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run the gateway",
        usage: "docker mcp gateway run [OPTIONS] --servers NAME[,NAME]",
        discussion: """
            Speaks MCP on stdin and stdout and starts each server in a container of its own: 1 CPU, 2 GiB without swap, \
            no network, no host files, no capabilities, a read-only root. When the client leaves, nothing is left.
            """)

    @OptionGroup var options: GatewayOptions
    @OptionGroup var listen: ListenOptions
    @Flag(help: "Also show what the servers write on their stderr.") var verbose = false
    @Flag(inversion: .prefixedNo, help: "Show each call, without its arguments.") var logCalls = true
    @Flag(help: "Start the servers, list their tools, and end.") var dryRun = false
    @Flag(help: "Start the servers before anybody uses them.") var eager = false
    @Flag(inversion: .prefixedNo, help: "Take changes of the configuration's files at once.") var watch = true

    func run() async throws {
        let context = CommandContext.current
        let start = ContinuousClock.now
        let transport = try listen.choice
        let err = context.console.err
        let chosen = try options.chosenServers(context.paths) { err.print("  - \($0)".printable) }
        let settings = try runSettings(context.paths)
        let unused = options.unusedPatterns
        let startup = Startup(chosen.map(\.name))
        err.print("- Those servers are enabled: \(chosen.map(\.name).joined(separator: ", "))")
        try await options.withEngine(context) { engine in
            let onEvent: @Sendable (GatewayEvent) async -> Void = {
                await show($0, since: start, startup, on: err)
            }
            if dryRun {
                try await Gateway.run(servers: chosen, settings: settings, engine: engine, onEvent: onEvent) {
                    gateway in
                    try await gateway.waitUntilReady()
                    for pattern in unused(try await gateway.surface(), chosen) {
                        err.print("Warning: --tools \(pattern) fits no tool of these servers".printable)
                    }
                }
                err.print("Dry run mode enabled, not starting the server.")
                return
            }
            switch transport {
            case .stdio:
                try await Gateway.run(servers: chosen, settings: settings, engine: engine, onEvent: onEvent) {
                    gateway in
                    try await watched(gateway, context.paths, err) {
                        let transport = ClientEraTransport(StdioTransport()) { gateway.warn($0) }
                        try await gateway.serve(over: transport, isOnly: true)
                    }
                }
            case .http(let style, let port):
                let stop = Promise<Void>()
                // A task of its own: the servers must outlive the calls that are under way, so the end is asked for, not
                // forced.
                let work = Task {
                    try await Gateway.run(servers: chosen, settings: settings, engine: engine, onEvent: onEvent) {
                        gateway in
                        try await watched(gateway, context.paths, err) {
                            try await HTTPGateway(
                                options: listen, style: style, port: port, watches: watch, gateway: gateway, err: err
                            ).run(context.paths, until: stop)
                        }
                    }
                }
                try await withTaskCancellationHandler {
                    try await work.value
                } onCancel: {
                    stop.fulfil(.success(()))
                }
            }
        }
    }

    private func runSettings(_ paths: Paths) throws -> GatewaySettings {
        var settings = try options.settings(paths)
        settings.isEager = eager
        settings.stateFolder = paths.gatewayStates
        return settings
    }

    /// After so long the parts of the program that only its start needs are let go of.
    private static let startTime = Duration.seconds(2)

    /// Runs `body` while changes of the configuration are applied.
    private func watched(
        _ gateway: Gateway, _ paths: Paths, _ err: Console.Output, _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try? await Task.sleep(for: Self.startTime)
                POSIX.releaseProgramPages()
                await untilCancelled()
            }
            if watch, !options.isStatic {
                group.addTask {
                    await FileWatch.run(options.watchedFiles(paths)) {
                        do {
                            let servers = try options.chosenServers(paths) { err.print("  - \($0)".printable) }
                            await gateway.apply(servers: servers, settings: try runSettings(paths))
                        } catch {
                            let reason = Failure.text(of: error)
                            await err.offer("Warning: the configuration stays as it was: \(reason)".printable)
                        }
                    }
                    await untilCancelled()
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func list(_ names: [String]) -> String { names.isEmpty ? "none" : names.joined(separator: ", ") }

    /// Each event is a line, whatever is in the names; a reader of stderr that does not keep up misses some.
    private func show(
        _ event: GatewayEvent, since start: ContinuousClock.Instant, _ startup: Startup, on err: Console.Output
    ) async {
        func say(_ text: String) async {
            let line = text.printable
            await err.offer(line.utf8.contains(0x0A) ? line.replacing("\n", with: " ") : line)
        }
        switch event {
        case .started(let server, let container, let limits, _):
            // What is not run here has no limits of ours.
            await say(
                limits.isEmpty
                    ? "  - Reached \(server) at \(container)"
                    : "  - Running \(server) in container \(container.prefix(12)) (\(limits))")
        case .ready(let server, let tools, _):
            await say("  > \(server): (\(ToolSummary.count(tools)))")
            if startup.settles(server, isReady: true) { await say(Startup.text(ContinuousClock.now - start)) }
        case .known(let server, let tools):
            await say("  > \(server): (\(ToolSummary.count(tools)), from an earlier run)")
            if startup.settles(server, isReady: true) { await say(Startup.text(ContinuousClock.now - start)) }
        case .failed(let server, let reason):
            await say("  > Can't start \(server): \(reason)")
            if startup.settles(server, isReady: false) { await say(Startup.text(ContinuousClock.now - start)) }
        case .log(let server, let line): if verbose { await say("  - \(server): \(line)") }
        case .restarting(let server, let pause): await say("  - Starting \(server) again in \(pause.text)")
        case .idle(let server): await say("  - Stopped \(server): nobody uses it; the next call starts it again")
        case .warning(let text): await say("Warning: \(text)")
        case .sweptUp(let count): await say("- Removed \(count) container(s) that a killed gateway had left")
        case .called(let server, let tool, let took, let isError):
            guard logCalls else { return }
            await say("  > \(server): \(tool) \(isError ? "failed" : "answered") in \(took.text)")
        case .removed(let server, _): await say("  - Removed \(server)")
        case .reloaded(let added, let changed, let removed):
            await say(
                "- Configuration has changed; added: \(list(added)); changed: \(list(changed)); removed: \(list(removed))"
            )
        }
    }
}
