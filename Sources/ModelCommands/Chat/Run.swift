internal import ArgumentParser
internal import AsyncHTTPClient
internal import Commands
internal import Core
internal import DockerEngine
internal import Gateway
internal import NIOHTTP1
internal import SystemPackage
internal import Terminal
internal import Toolkit

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a model and ask it something",
        usage: "docker model run [OPTIONS] MODEL [PROMPT]",
        discussion: """
            Without a prompt it is a conversation; a prompt may also come on stdin. A model that is not on this machine \
            is pulled first, and the inference engine is installed where there is none.

            With --mcp the model gets the tools of those MCP servers. Each runs in a container of its own, without \
            network or host files, that is removed at the end.
            """)

    @Option(
        help: ArgumentHelp("MCP servers whose tools the model may use, separated by commas.", valueName: "servers"))
    var mcp: String?
    @Option(help: ArgumentHelp("The catalog file that describes the servers.", valueName: "file")) var catalog: String?
    @Option(help: "What the model is told before the conversation.") var system: String?
    @Option(help: "How freely the model picks its words; 0 takes the likeliest. With --mcp it is 0 unless given.")
    var temperature: Double?
    @Flag(name: .shortAndLong, help: "Only load the model.") var detach = false
    @Argument(help: "The model.") var model: String
    @Argument(parsing: .remaining, help: "The question.") var prompt: [String] = []

    func validate() throws {
        if catalog != nil && mcp == nil { throw ValidationError("--catalog needs --mcp") }
        if let temperature, !(0...10).contains(temperature) {
            throw ValidationError("--temperature must be between 0 and 10")
        }
    }

    func run() async throws {
        let context = CommandContext.current
        try ModelNames.check(model)
        let servers = try chosenServers()
        let question = try self.question(context.console)
        try await RunnerClient.with { client in
            try await Preparation(client: client, context: context).prepare(model)
            if detach {
                try await preload(client)
            } else if servers.isEmpty {
                var session = newSession(client, context.console, tools: [])
                try await converse(&session, question) { session in _ = try await session.reply() }
            } else {
                try await runWithTools(servers, question, client, context)
            }
        }
    }

    private func runWithTools(
        _ servers: [Server], _ question: String?, _ client: RunnerClient, _ context: CommandContext
    ) async throws {
        let err = context.console.err
        try await withHTTPClient { http in
            let endpoint = try EngineEndpoint.resolve(paths: context.paths, globals: context.globals)
            let engine = try await Engine.connect(client: http, endpoint: endpoint)
            try await Gateway.run(servers: servers, engine: engine, onEvent: { Self.show($0, on: err) }) { gateway in
                // The model loads while the containers start.
                async let loaded: Void = preload(client)
                try await gateway.waitUntilReady()
                try await loaded
                let tools = try ToolLoop.functions(try await gateway.surface())
                var session = newSession(client, context.console, tools: tools)
                let loop = ToolLoop(gateway: gateway, console: context.console)
                try await converse(&session, question) { session in try await loop.run(&session) }
            }
        }
    }

    private func newSession(_ client: RunnerClient, _ console: Console, tools: [JSON]) -> ChatSession {
        ChatSession(
            client: client, console: console, model: model, system: system,
            temperature: temperature ?? (mcp == nil ? nil : 0), tools: tools)
    }

    /// One question and its answer, or question after question until the person leaves.
    private func converse(
        _ session: inout ChatSession, _ question: String?,
        _ answer: @escaping @Sendable (inout ChatSession) async throws -> Void
    ) async throws {
        if let question {
            session.say(question)
            try await answer(&session)
            return
        }
        let console = session.console
        console.out.print(console.out.styled("Ask something; /bye ends, /? helps.", .dim))
        while true {
            console.out.print("> ", terminator: "")
            try console.out.checkIsRead()
            let read: String?
            do { read = try StandardInput.line() } catch {
                console.out.print("")
                throw error
            }
            guard let line = read else { return console.out.print("") }
            switch line.split(separator: " ").first.map(String.init) {
            case nil: continue
            case "/bye", "/exit": return
            case "/?", "/help":
                console.out.print("Type a question and Enter. Ctrl-C stops an answer. /bye or Ctrl-D ends.")
            case let command? where command.hasPrefix("/"):
                console.out.print("Unknown command '\(command)'. Type /? for help")
            default:
                // Of an answer that did not come, or was stopped, nothing is kept.
                do { session = try await answered(session, line, answer) ?? session } catch let failure as Failure
                    where failure.code != .cancelled
                { console.err.print(failure.description.printable) }
            }
        }
    }

    /// The conversation with one more question and its answer; nil when Ctrl-C stopped it.
    private func answered(
        _ session: ChatSession, _ question: String,
        _ answer: @escaping @Sendable (inout ChatSession) async throws -> Void
    ) async throws -> ChatSession? {
        try await Interruption.catching {
            var next = session
            next.say(question)
            try await answer(&next)
            return next
        }
    }

    private func preload(_ client: RunnerClient) async throws {
        let body: JSON = ["model": .string(model), "messages": [], "stream": false]
        let response = try await client.send(
            .POST, "/engines/v1/chat/completions", body: body.bytes, headers: [("x-preload-only", "true")])
        _ = try await response.body.collect(upTo: 1 << 20)
    }

    /// The prompt's words, and what comes on stdin where that is no terminal; nil for a conversation.
    private func question(_ console: Console) throws -> String? {
        if detach { return nil }
        var parts = prompt.isEmpty ? [] : [prompt.joined(separator: " ")]
        if !console.isInteractive {
            let text = try StandardInput.text(limit: Self.maximumPrompt)
            if !text.allSatisfy(\.isWhitespace) { parts.append(text) }
        }
        if parts.isEmpty && !console.isInteractive {
            throw Failure(.invalidArgument, "nothing to ask: no prompt, and stdin is empty")
        }
        return parts.isEmpty ? nil : parts.joined(separator: "\n\n")
    }

    private static let maximumPrompt = 16 << 20

    private func chosenServers() throws -> [Server] {
        guard let mcp else { return [] }
        let names = mcp.split(separator: ",").map { $0.trimmingPrefix(while: \.isWhitespace) }.filter { !$0.isEmpty }
        guard !names.isEmpty else { throw Failure(.invalidArgument, "--mcp names no server") }
        let catalog = try catalog.map { try Catalog.load(path: FilePath($0)) } ?? Catalog.builtin()
        var seen = Set<Substring>()
        return try names.filter { seen.insert($0).inserted }.map { try catalog.server(named: String($0)) }
    }

    private static func show(_ event: GatewayEvent, on err: Console.Output) {
        let text: String? =
            switch event {
            case .started(let server, let container, let limits, let took):
                "[mcp] \(server): container \(container.prefix(12)) started in \(took.milliseconds) ms (\(limits))"
            case .ready(let server, let tools, let took):
                "[mcp] \(server): \(tools) tool\(tools == 1 ? "" : "s") after \(took.milliseconds) ms"
            case .failed(let server, let reason): "[mcp] \(server): \(reason)"
            case .warning(let text): "[mcp] warning: \(text)"
            case .log, .called, .restarting, .idle, .sweptUp, .reloaded, .known: nil
            case .removed(let server, let container): "[mcp] \(server): container \(container.prefix(12)) removed"
            }
        if let text { err.print(err.styled(text.printable, .dim)) }
    }
}
