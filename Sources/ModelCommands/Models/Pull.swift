internal import ArgumentParser
internal import Commands
internal import Core

struct Pull: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Pull a model from a registry to this machine",
        usage: "docker model pull MODEL")

    @Argument(help: "The model, for example ai/smollm2 or localhost:5000/pebble:1.")
    var model: String

    func run() async throws {
        try await ModelTransfer.run { try await ModelTransfer.pull(model, with: $0) }
    }
}

struct Push: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Push a model to a registry", usage: "docker model push MODEL")

    @Argument(help: "The model, with the registry in its name.")
    var model: String

    func run() async throws {
        try await ModelTransfer.run { try await ModelTransfer.push(model, with: $0) }
    }
}
