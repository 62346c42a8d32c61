internal import Core
internal import NIOCore
internal import OCI
internal import SystemPackage

/// Turns a recipe's source into the draft of a model.
struct PackageSource {
    let recipe: PackageRecipe
    let store: ModelStore

    /// - Throws: `.notFound`; `.corrupted` for files that are not what they are given as; `.invalidArgument`.
    func draft() throws -> PackageDraft {
        switch recipe.source {
        case .gguf(let file): try gguf(file)
        case .safetensors(let folder): try SafetensorsFolder(folder).draft(recipe)
        case .model(let name): try model(name)
        }
    }

    private func gguf(_ file: FilePath) throws -> PackageDraft {
        let files = try GGUFParts.files(from: file)
        let heads = try files.map { try GGUF(reading: $0) }
        try GGUFParts.check(heads, files)
        let config = ModelConfig(heads, created: try Self.time(recipe, files), contextSize: nil)
        return PackageDraft(
            parts: files.map { .init(.weights(.gguf), Self.weightsName($0), .file($0)) }, config: config,
            format: recipe.format == .cncf ? .modelPack : .dockerV1)
    }

    /// Ollama's own files are named by their digests; ModelPack tells formats by the name's ending.
    private static func weightsName(_ file: FilePath) -> String {
        let name = PackageDraft.name(file)
        return name.lowercased().hasSuffix(".gguf") ? name : "\(name).gguf"
    }

    /// A stored model's parts are used where they are.
    private func model(_ name: String) throws -> PackageDraft {
        let model: Model
        do { model = try store.model(named: name) } catch let failure as Failure where failure.code == .notFound {
            throw Failure(.notFound, failure.message, advice: "Pull it first: docker model pull \(name)")
        }
        let format: ArtifactFormat =
            switch (recipe.format, ArtifactFormat(model.manifest)) {
            case (.cncf, _), (nil, .modelPack): .modelPack
            case (_, .dockerV2): .dockerV2
            // A folder's files keep their names in v0.2 only.
            case (.docker, .modelPack) where model.config.format != "gguf": .dockerV2
            default: .dockerV1
            }
        var config = model.config
        // What was read from a parameters layer is said there.
        if config.contextSize == model.customization.parameters.contextSize { config.contextSize = nil }
        // Where the configuration has no time, the one that is shown is this machine's own.
        let bytes = try store.blobs.read(model.manifest.config.digest)
        config.created = try recipe.created ?? Self.sourceDate() ?? ModelConfig(parsing: bytes).created
        var counts: [LayerKind: Int] = [:]
        let parts = try model.manifest.layers.map { layer -> PackageDraft.Part in
            let kind = layer.kind
            guard format.type(of: kind) != nil || ArtifactFormat(model.manifest) == format else {
                throw Failure(
                    .unsupported,
                    "\(name) has a layer of the type \(layer.mediaType.prefix(120)), which "
                        + "the other format has no place for", advice: "Leave --format out")
            }
            counts[kind, default: 0] += 1
            let fallback = kind.isFile ? Self.fallbackName(kind, counts[kind] ?? 1) : nil
            return .init(kind, layer.annotations[Annotation.filePath] ?? fallback, .stored(layer))
        }
        return PackageDraft(
            parts: parts, config: config, origin: model,
            originBytes: bytes, format: format)
    }

    /// Ollama's layers have no names.
    private static func fallbackName(_ kind: LayerKind, _ number: Int) -> String {
        let suffix = number > 1 ? "-\(number)" : ""
        return switch kind {
        case .weights(.gguf): "model\(suffix).gguf"
        case .weights(.safetensors): "model\(suffix).safetensors"
        case .projector: "mmproj\(suffix).gguf"
        case .adapter: "adapter\(suffix).gguf"
        case .chatTemplate: "template\(suffix).jinja"
        case .license: "LICENSE\(suffix)"
        case .archive: "files\(suffix).tar"
        case .packedArchive: "files\(suffix).tar.gz"
        default: "file\(suffix)"
        }
    }

    /// The time a model made of these files gets.
    static func time(_ recipe: PackageRecipe, _ files: [FilePath]) throws -> Timestamp {
        if let time = try recipe.created ?? sourceDate() { return time }
        return Timestamp(seconds: try files.map { try POSIX.status($0).modified }.max() ?? 0)
    }

    /// - Throws: `.invalidArgument` when `SOURCE_DATE_EPOCH` is set to no time.
    private static func sourceDate() throws -> Timestamp? {
        guard let text = POSIX.environmentVariable("SOURCE_DATE_EPOCH"), !text.isEmpty else { return nil }
        guard let seconds = Int64(text), (0...253_402_300_799).contains(seconds) else {
            throw Failure(
                .invalidArgument, "SOURCE_DATE_EPOCH is no number of seconds since 1970", advice: "Correct or unset it")
        }
        return Timestamp(seconds: seconds)
    }
}

extension ArtifactFormat {
    /// The media type that this format has for a layer; nil where it has none.
    func type(of kind: LayerKind) -> String? { self == .modelPack ? kind.modelPackType : kind.dockerType }
}
