internal import ArgumentParser
internal import Commands
internal import Core
internal import NIOHTTP1
internal import Terminal

struct Unload: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Unload models that are running",
        usage: "docker model unload [OPTIONS] MODEL [MODEL...] | --all",
        discussion: "One that is answering stays until it is idle.", aliases: ["stop"])

    @Flag(help: "Unload all models.") var all = false
    @Option(help: "Only those that this backend runs.") var backend = ""
    @Argument(help: "The models.") var models: [String] = []

    func validate() throws {
        if all && !models.isEmpty { throw ValidationError("--all and models cannot be used together") }
        if !all && models.isEmpty { throw ValidationError("name the models to unload, or use --all") }
    }

    func run() async throws {
        let body: JSON = [
            "all": .bool(all), "backend": .string(backend), "models": .array(models.map { .string($0) }),
        ]
        let answer = try await RunnerClient.ifRunning { try await $0.json(.POST, "/engines/unload", body: body) }
        let count = answer?["unloaded_runners"]?.int ?? 0
        CommandContext.current.console.out.print(Self.text(count, all: all))
    }

    static func text(_ count: Int, all: Bool) -> String {
        if count > 0 { return "Unloaded \(count) model(s)." }
        return all ? "No models are running." : "No such model(s) running."
    }
}
