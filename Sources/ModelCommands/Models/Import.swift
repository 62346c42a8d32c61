internal import ArgumentParser
internal import Commands
internal import Core
internal import ModelStore
internal import OCI
internal import SystemPackage
internal import Terminal

struct Import: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take over models that Ollama or Hugging Face's tools have downloaded",
        usage: "docker model import (--ollama | --huggingface)[=FOLDER] [--dry-run] [MODEL...]",
        discussion: """
            Every file is checked and then linked, so that it takes no more space; where that cannot be it is copied. \
            Without a model all are taken. The folders are OLLAMA_MODELS, else ~/.ollama/models, and HF_HUB_CACHE, else \
            HF_HOME/hub, else ~/.cache/huggingface/hub.
            """)

    @Option(defaultAsFlag: "", help: ArgumentHelp("From Ollama's folder.", valueName: "folder")) var ollama: String?
    @Option(defaultAsFlag: "", help: ArgumentHelp("From the cache of Hugging Face's hub.", valueName: "folder"))
    var huggingface: String?
    @Flag(help: "Only show what would be taken over.") var dryRun = false
    @Argument(help: ArgumentHelp("The models, as their tool calls them.", valueName: "name")) var models: [String] = []

    func validate() throws {
        if (ollama == nil) == (huggingface == nil) { throw ValidationError("give one of --ollama and --huggingface") }
    }

    func run() async throws {
        let context = CommandContext.current
        let (out, err) = (context.console.out, context.console.err)
        let (folder, names) = place(context.paths)
        let all = try ollama != nil ? OllamaCache.models(in: folder) : HuggingFaceCache.models(in: folder)
        let found = try all.named(names)
        for problem in found.problems { err.print("skipped \(problem)".printable) }
        guard !dryRun else { return out.print(Self.table(found.models).text) }
        // The store is shared by processes, so this needs no daemon.
        let store = try ModelStore(root: context.paths.models)
        var failures = 0
        for model in found.models {
            do {
                let imported = try await store.take(model)
                let copied = imported.copied > 0 ? ", \(ByteCount(imported.copied)) copied" : ""
                out.print(
                    "Imported \(model.name.display) as \(imported.model.id.short): "
                        + "\(ByteCount(imported.linked)) linked\(copied)".printable)
            } catch let failure as Failure {
                failures += 1
                err.print("skipped \(model.name.display): \(failure)".printable)
            }
        }
        if found.models.isEmpty { out.print("No models to import.") }
        guard failures == 0 else {
            throw Failure(.internalError, "\(failures) of \(found.models.count) models could not be imported")
        }
    }

    /// The folder, and the models asked for. A word behind the option that is no folder is a model.
    private func place(_ paths: Paths) -> (FilePath, [String]) {
        let given = ollama ?? huggingface ?? ""
        let usual =
            ollama != nil
            ? paths.setting("OLLAMA_MODELS").map { FilePath($0) } ?? paths.home.appending(".ollama/models")
            : paths.setting("HF_HUB_CACHE").map { FilePath($0) }
                ?? paths.setting("HF_HOME").map { FilePath($0).appending("hub") }
                ?? paths.home.appending(".cache/huggingface/hub")
        if given.isEmpty { return (usual, models) }
        let folder =
            given == "~" || given.hasPrefix("~/") ? FilePath(paths.home.string + given.dropFirst()) : FilePath(given)
        let isFolder = given.hasPrefix("/") || given.hasPrefix(".") || given.hasPrefix("~")
        if isFolder || (try? POSIX.status(folder))?.isDirectory == true { return (folder, models) }
        return (usual, [given] + models)
    }

    private static func table(_ models: [ForeignModel]) -> Table {
        var table = Table(["MODEL NAME", "SIZE"])
        for model in models {
            table.append([model.name.display, ByteCount(model.size).decimal])
        }
        return table
    }
}
