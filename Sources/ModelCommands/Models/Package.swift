internal import ArgumentParser
internal import Commands
internal import Core
internal import ModelStore
internal import SystemPackage
internal import Terminal

struct Package: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a model of a GGUF file",
        usage: "docker model package --gguf FILE [OPTIONS] MODEL")

    @Option(help: ArgumentHelp("The GGUF file.", valueName: "file")) var gguf: String
    @Option(help: "The context size to run the model with, in tokens.") var contextSize: Int?
    @Option(help: ArgumentHelp("A Jinja chat template that replaces the file's own.", valueName: "file"))
    var chatTemplate: String?
    @Option(name: .shortAndLong, help: ArgumentHelp("A licence file; may be repeated.", valueName: "file"))
    var license: [String] = []
    @Flag(help: "Push the model to its registry afterwards.") var push = false
    @Argument(help: "The model's name.") var model: String

    func validate() throws {
        if let contextSize, contextSize <= 0 { throw ValidationError("--context-size must be larger than 0") }
    }

    func run() async throws {
        let context = CommandContext.current
        // The store is shared by processes, so this needs no daemon.
        let store = try ModelStore(root: context.paths.models)
        let reference = try ModelReference(parsing: model)
        let packaged = try await store.package(
            gguf: absolute(gguf), as: reference, contextSize: contextSize, licences: license.map(absolute),
            chatTemplate: chatTemplate.map(absolute))
        context.console.out.print("Packaged \(reference.display) as \(packaged.id)")
        if push { try await RunnerClient.with { try await ModelTransfer.push(model, with: $0) } }
    }

    private func absolute(_ path: String) -> FilePath {
        let given = FilePath(path)
        guard given.isRelative, let here = try? POSIX.resolve(".") else { return given }
        return here.pushing(given).lexicallyNormalized()
    }
}
