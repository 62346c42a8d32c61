internal import ArgumentParser
internal import Commands
internal import Core
internal import NIOHTTP1
internal import Terminal

struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Remove models from this machine",
        usage: "docker model rm [OPTIONS] MODEL [MODEL...]")

    @Flag(name: .shortAndLong, help: "Remove a model given by its ID with all its tags.") var force = false
    @Argument(help: "The models.") var models: [String]

    func run() async throws {
        let out = CommandContext.current.console.out
        try await RunnerClient.with { client in
            for model in models {
                let removals: JSON
                do {
                    // `DELETE /models/purge` is another request, which removes everything.
                    let name = model.lowercased() == "purge" ? "ai/purge" : model
                    removals = try await client.json(.DELETE, "/models/\(name.pathEncoded)?force=\(force)")
                } catch let failure as Failure where failure.code == .notFound {
                    throw Failure.noSuchModel(model)
                }
                for removal in removals.array ?? [] {
                    if let tag = removal["Untagged"]?.string { out.print("Untagged: \(tag)") }
                    if let id = removal["Deleted"]?.string { out.print("Deleted: \(id)") }
                }
            }
        }
    }
}
