internal import Core
internal import NIOCore
internal import OCI
internal import SystemPackage

/// A model on its way: its parts, stored or still to be stored, and what its configuration will say.
struct PackageDraft {
    enum Content {
        /// A blob that is there, with the descriptor it has in its model.
        case stored(Descriptor)
        case file(FilePath)
        case bytes(ByteBuffer)
    }

    struct Part {
        let kind: LayerKind
        /// Relative to the model's folder; nil for what is no file of it.
        let name: String?
        let content: Content

        init(_ kind: LayerKind, _ name: String?, _ content: Content) {
            self.kind = kind
            self.name = name
            self.content = content
        }
    }

    var parts: [Part]
    var config: ModelConfig
    /// The stored model this comes from, and its configuration as it lies there.
    var origin: Model?
    var originBytes: ByteBuffer?
    /// What the artifact is written as.
    var format: ArtifactFormat

    var originDocument: JSON? { originBytes.flatMap { try? JSON(parsing: $0) } }

    private static let maximumText: Int64 = 16 << 20

    /// Puts what the recipe adds beside the source's parts, or in their place.
    ///
    /// - Throws: `.corrupted` for files that are not what they are given as; `.unsupported` for what the format has no
    ///   place for.
    mutating func apply(_ recipe: PackageRecipe) throws {
        guard config.format == "gguf" || recipe.projector == nil && recipe.adapters.isEmpty else {
            throw Failure(
                .invalidArgument, "projectors and LoRA adapters go with GGUF models, this one is \(config.format)")
        }
        if let template = recipe.chatTemplate { try replace(.chatTemplate, [part(.chatTemplate, template)]) }
        if let projector = recipe.projector {
            try Self.require(projector, is: .projector)
            // ModelPack tells projectors from weights by this word in the name.
            let name = Self.name(projector)
            let marked = name.lowercased().contains("mmproj") ? name : "mmproj-\(name)"
            replace(.projector, [Part(.projector, format == .modelPack ? marked : name, .file(projector))])
        }
        for adapter in recipe.adapters {
            let head = try Self.require(adapter, is: .adapter)
            guard head.architecture == config.architecture || head.architecture == nil else {
                throw Failure(
                    .invalidArgument,
                    "\(adapter) is an adapter for \(head.architecture ?? ""), the model is \(config.architecture)",
                    advice: "Adapters fit the model they were trained with only")
            }
            parts.append(Part(.adapter, Self.name(adapter), .file(adapter)))
        }
        for licence in recipe.licences { parts.append(try part(.license, licence)) }
        if let system = recipe.system { try replaceText(.system, ByteBuffer(string: system)) }
        if let template = recipe.goTemplate { try replaceText(.goTemplate, ByteBuffer(string: template)) }
        if !recipe.messages.isEmpty {
            try replaceText(.messages, JSON.array(recipe.messages.map(\.json)).bytes)
        }
        try applyParameters(recipe)
        makeNamesDistinct()
    }

    private mutating func applyParameters(_ recipe: PackageRecipe) throws {
        var parameters = (origin?.customization.parameters ?? ModelParameters()).merging(recipe.parameters)
        if let size = recipe.contextSize ?? recipe.parameters.contextSize {
            guard format != .modelPack || recipe.contextSize == nil else {
                throw Failure(
                    .unsupported, "the format cncf has no place for a context size",
                    advice: "Leave --context-size out, or use --format docker")
            }
            if format != .modelPack {
                // Docker's configuration has a member for it; said in two places it could be said in two ways.
                config.contextSize = size
                parameters.contextSize = nil
            }
        }
        guard parameters != origin?.customization.parameters else { return }
        if !parameters.isEmpty {
            try replaceText(.parameters, parameters.json.bytes)
        } else if origin != nil {
            parts.removeAll { $0.kind == .parameters }
        }
    }

    private mutating func replace(_ kind: LayerKind, _ new: [Part]) {
        parts.removeAll { $0.kind == kind }
        parts += new
    }

    private mutating func replaceText(_ kind: LayerKind, _ bytes: ByteBuffer) throws {
        guard bytes.readableBytes <= Customization.maximumText else {
            throw Failure(
                .resourceExhausted,
                "a model's texts may have \(ByteCount(Customization.maximumText)) each, not "
                    + "\(ByteCount(bytes.readableBytes))")
        }
        replace(kind, [Part(kind, nil, .bytes(bytes))])
    }

    private func part(_ kind: LayerKind, _ text: PackageRecipe.Text) throws -> Part {
        switch text {
        case .file(let file):
            let size = try Files.wrap("cannot read \(file)") { try POSIX.status(file).size }
            guard size <= Self.maximumText else {
                throw Failure(.resourceExhausted, "\(file) has more than \(ByteCount(Self.maximumText))")
            }
            return Part(kind, Self.name(file), .file(file))
        case .inline(let text):
            return Part(kind, kind == .license ? "LICENSE" : "template.jinja", .bytes(ByteBuffer(string: text)))
        }
    }

    /// Two licences may well have one name.
    private mutating func makeNamesDistinct() {
        var taken = Set<String>()
        parts = parts.map { part in
            guard let name = part.name else { return part }
            var candidate = name
            var number = 2
            while !taken.insert(candidate.lowercased()).inserted {
                let path = FilePath(name)
                let stem = path.stem.map { "\($0)-\(number)" } ?? "\(number)"
                let last = path.extension.map { "\(stem).\($0)" } ?? stem
                candidate = path.removingLastComponent().appending(last).string
                number += 1
            }
            return candidate == name ? part : Part(part.kind, candidate, part.content)
        }
    }

    static func name(_ file: FilePath) -> String { file.lastComponent?.string ?? "file" }

    @discardableResult
    private static func require(_ file: FilePath, is content: GGUF.Content) throws -> GGUF {
        let head = try GGUF(reading: file)
        guard head.content == content else {
            throw Failure(
                .invalidArgument,
                "\(file) is no \(content == .adapter ? "LoRA adapter" : "multimodal projector"), its kind is "
                    + "\(JSON.quoted(head.metadata["general.type"] ?? head.architecture ?? "unknown"))",
                advice: content == .adapter
                    ? "Adapters are GGUF files of the general.type adapter, as convert_lora_to_gguf.py writes them"
                    : "Projectors are GGUF files of the general.type mmproj or the architecture clip")
        }
        return head
    }
}
