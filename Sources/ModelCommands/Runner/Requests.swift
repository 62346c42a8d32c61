internal import ArgumentParser
internal import AsyncHTTPClient
internal import Commands
internal import Core
internal import NIOCore
internal import NIOHTTP1
internal import Terminal

struct Requests: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the latest requests to models, with their answers", usage: "docker model requests [OPTIONS]",
        discussion: "The model runner keeps the last 10 of each model, in memory only.")

    @Flag(name: .shortAndLong, help: "Go on with those that come from now on.") var follow = false
    @Flag(help: "With --follow: show those that there are first.") var includeExisting = false
    @Option(help: ArgumentHelp("Only those to this model.", valueName: "model")) var model: String?

    func validate() throws {
        if includeExisting, !follow { throw ValidationError("--include-existing goes with --follow") }
    }

    func run() async throws {
        let out = CommandContext.current.console.out
        let query = model.map { "?model=\(RunnerEndpoint.percentEncoded($0))" } ?? ""
        guard follow else {
            let records = try await RunnerClient.ifRunning { try await $0.json(.GET, "/engines/requests\(query)") }
            out.print((records ?? .array([])).text(indent: 2))
            return
        }
        let path = "/engines/requests\(query)\(query.isEmpty ? "?" : "&")include_existing=\(includeExisting)"
        try await RunnerClient.with { client in
            let response = try await client.send(.GET, path, headers: [("accept", "text/event-stream")])
            var parser = SSE.Parser()
            CommandContext.current.console.err.print("Connected to request stream. Press Ctrl+C to stop.")
            try await RunnerClient.read(response) { chunk in
                for event in try parser.append(chunk) where event.name != "connected" {
                    out.print(event.data.printable)
                }
                try out.checkIsRead()
            }
            CommandContext.current.console.err.print("Stream closed by server.")
        }
    }
}
