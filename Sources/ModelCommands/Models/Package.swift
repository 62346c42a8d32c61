internal import ArgumentParser
internal import Commands
internal import Core
internal import ModelStore
internal import Synchronization
internal import SystemPackage
internal import Terminal

struct Package: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a model of files, of another model, or of a Modelfile",
        usage: "docker model package (--gguf FILE | --safetensors-dir DIR | --from MODEL | --modelfile FILE) "
            + "[OPTIONS] MODEL",
        discussion: """
            A GGUF model that is split into files x-00001-of-0000N.gguf is given by its first file. --from takes a model \
            that is on this machine and changes what the other options say; its files are shared, not copied. \
            --modelfile reads Ollama's Modelfile: FROM, PARAMETER, TEMPLATE, SYSTEM, ADAPTER, LICENSE, MESSAGE.

            The same input gives the same ID. The time of creation is SOURCE_DATE_EPOCH, else the newest file's own.
            """)

    @Option(help: ArgumentHelp("A GGUF file, or the first of several.", valueName: "file")) var gguf: String?
    @Option(help: ArgumentHelp("A folder with a model in safetensors format.", valueName: "dir"))
    var safetensorsDir: String?
    @Option(help: ArgumentHelp("A model to begin with.", valueName: "model")) var from: String?
    @Option(help: ArgumentHelp("A Modelfile, as Ollama has them.", valueName: "file")) var modelfile: String?
    @Option(help: ArgumentHelp("A multimodal projector, a GGUF file.", valueName: "file")) var mmproj: String?
    @Option(help: ArgumentHelp("A LoRA adapter, a GGUF file; may be repeated.", valueName: "file"))
    var lora: [String] = []
    @Option(help: ArgumentHelp("A Jinja chat template that replaces the file's own.", valueName: "file"))
    var chatTemplate: String?
    @Option(name: .shortAndLong, help: ArgumentHelp("A licence file; may be repeated.", valueName: "file"))
    var license: [String] = []
    @Option(help: "The context size to run the model with, in tokens.") var contextSize: Int?
    @Option(
        help: ArgumentHelp("docker, or cncf for ModelPack; else the model's own, else docker.", valueName: "format"))
    var format: String?
    @Flag(help: "Push the model to its registry afterwards.") var push = false
    @Argument(help: "The model's name.") var model: String

    func validate() throws {
        let sources = [
            ("--gguf", gguf), ("--safetensors-dir", safetensorsDir), ("--from", from), ("--modelfile", modelfile),
        ].filter { $0.1 != nil }.map(\.0)
        if sources.isEmpty {
            throw ValidationError("one of --gguf, --safetensors-dir, --from and --modelfile is required")
        }
        if sources.count > 1 {
            throw ValidationError("\(sources.joined(separator: " and ")) cannot be used together")
        }
        if safetensorsDir != nil, mmproj != nil || !lora.isEmpty {
            throw ValidationError("--mmproj and --lora go with GGUF models only")
        }
        if let contextSize, contextSize <= 0 { throw ValidationError("--context-size must be larger than 0") }
        if let format, PackageRecipe.Format(rawValue: format) == nil {
            throw ValidationError("--format must be docker or cncf")
        }
        if format == "cncf", contextSize != nil {
            throw ValidationError("--context-size cannot be used with --format cncf, which has no place for it")
        }
    }

    func run() async throws {
        let context = CommandContext.current
        // The store is shared by processes, so this needs no daemon.
        let store = try ModelStore(root: context.paths.models)
        let reference = try ModelReference(parsing: model)
        let board = Mutex(ProgressBoard(context.console.err, verb: "Storing", doneText: "Stored"))
        let isShown = context.console.err.isTerminal
        let packaged = try await store.package(recipe(), as: reference) { step in
            guard isShown else { return }
            board.withLock { $0.update(step.file, current: step.current, total: step.total) }
        }
        context.console.out.print("Packaged \(reference.display) as \(packaged.id)")
        for note in packaged.customization.notes { context.console.err.print("note: \(note)".printable) }
        if push { try await ModelTransfer.run { try await ModelTransfer.push(model, with: $0) } }
    }

    private func recipe() throws -> PackageRecipe {
        var recipe: PackageRecipe
        if let modelfile {
            recipe = try PackageRecipe(modelfile: absolute(modelfile))
        } else if let from {
            recipe = PackageRecipe(.model(from))
        } else if let safetensorsDir {
            recipe = PackageRecipe(.safetensors(absolute(safetensorsDir)))
        } else {
            recipe = PackageRecipe(.gguf(absolute(gguf ?? "")))
        }
        recipe.format = format.flatMap { PackageRecipe.Format(rawValue: $0) }
        if let contextSize { recipe.contextSize = contextSize }
        if let chatTemplate { recipe.chatTemplate = .file(absolute(chatTemplate)) }
        if let mmproj { recipe.projector = absolute(mmproj) }
        recipe.adapters += lora.map(absolute)
        recipe.licences += license.map { .file(absolute($0)) }
        return recipe
    }

    private func absolute(_ path: String) -> FilePath {
        let given = FilePath(path)
        guard given.isRelative, let here = try? POSIX.resolve(".") else { return given }
        return here.pushing(given).lexicallyNormalized()
    }
}
