internal import ArgumentParser
internal import Commands
internal import Core
internal import ModelStore
internal import NIOHTTP1
internal import OCI
internal import Terminal

struct Tag: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Give a model one more name", usage: "docker model tag SOURCE TARGET")

    @Argument(help: "The model, by a name or its ID.") var source: String
    @Argument(help: "The new name; taken from the model that has it.") var target: String

    func run() async throws {
        let (repository, tag) = try Self.parts(of: target)
        try await RunnerClient.with { client in
            let query = "repo=\(RunnerEndpoint.percentEncoded(repository))&tag=\(RunnerEndpoint.percentEncoded(tag))"
            do { _ = try await client.json(.POST, "/models/\(source.pathEncoded)/tag?\(query)") } catch let failure
                as Failure where failure.code == .notFound
            { throw Failure.noSuchModel(source) }
            CommandContext.current.console.out.print(
                "Model \"\(source)\" tagged successfully with \"\(target)\"".printable)
        }
    }

    /// - Throws: `.invalidArgument` for what cannot be a model's name.
    static func parts(of target: String) throws -> (repository: String, tag: String) {
        let reference: ModelReference
        do { reference = try ModelReference(parsing: target) } catch {
            throw Failure(.invalidArgument, "invalid tag: \(target)", cause: error)
        }
        guard !reference.isOnlyID, reference.reference.digest == nil, let tag = reference.reference.tag else {
            throw Failure(
                .invalidArgument, "invalid tag: \(target) is an ID or a digest",
                advice: "A name is like pebble or localhost:5000/pebble:1.")
        }
        return (reference.reference.name, tag)
    }
}

extension Failure {
    static func noSuchModel(_ name: String) -> Failure {
        Failure(.notFound, "no such model: \(name)", advice: "`docker model ls` lists the models here.")
    }
}
