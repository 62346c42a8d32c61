internal import Core
internal import OCI

/// What one layer of a model is for, whichever format's words say it.
enum LayerKind: Hashable, Sendable {
    enum Weights: String, Sendable {
        case gguf
        case safetensors
        case dduf
        case other
    }

    case weights(Weights)
    case projector
    case adapter
    /// A Jinja template, which engines execute.
    case chatTemplate
    case license
    case document
    /// Tokenizers, configurations and whatever else belongs into the model's folder.
    case file
    /// A tar archive of such files.
    case archive
    /// The same in gzip, which only ModelPack has.
    case packedArchive
    case system
    case parameters
    /// A template in Go's language, which no engine of ours executes.
    case goTemplate
    case messages
    case other

    init(_ layer: Descriptor) {
        let name = layer.annotations[Annotation.filePath]?.lowercased() ?? ""
        if let kind = Self.plain[layer.mediaType] {
            self = kind
            return
        }
        if layer.mediaType.hasSuffix(MediaType.gzip),
            Self.modelPackArchives.contains(String(layer.mediaType.dropLast(MediaType.gzip.count)))
        {
            self = .packedArchive
            return
        }
        switch layer.mediaType {
        case MediaType.modelPackWeight:
            if layer.annotations[Annotation.role] == "lora" {
                self = .adapter
            } else if name.contains("mmproj") {
                self = .projector
            } else {
                self = .weights(Weights(fileName: name))
            }
        case MediaType.modelPackWeightConfig: self = name.hasSuffix(".jinja") ? .chatTemplate : .file
        case MediaType.modelPackDoc: self = Self.isLicence(name) ? .license : .document
        case MediaType.modelFile where name.hasSuffix(".jinja"): self = .chatTemplate
        case MediaType.modelFile: self = .file
        default: self = .other
        }
    }

    private static let modelPackArchives: Set<String> = [
        MediaType.modelPackWeightTar, MediaType.modelPackWeightConfigTar, MediaType.modelPackDocTar,
    ]

    /// Whether a layer is part of the model and in a form that is not read here.
    static func isUnreadable(_ layer: Descriptor) -> Bool {
        guard layer.mediaType.hasSuffix(MediaType.zstd) else { return false }
        let type = String(layer.mediaType.dropLast(MediaType.zstd.count))
        return type == MediaType.modelPackWeightTar || type == MediaType.modelPackWeightConfigTar
    }

    private static let plain: [String: LayerKind] = [
        MediaType.gguf: .weights(.gguf), MediaType.safetensors: .weights(.safetensors),
        MediaType.dduf: .weights(.dduf), MediaType.multimodalProjector: .projector,
        MediaType.multimodalProjectorGGUF: .projector, MediaType.loraAdapter: .adapter,
        MediaType.chatTemplate: .chatTemplate, MediaType.license: .license,
        MediaType.directoryTar: .archive, MediaType.vllmConfigTar: .archive,
        MediaType.modelPackWeightGGUF: .weights(.gguf), MediaType.modelPackWeightSafetensors: .weights(.safetensors),
        MediaType.modelPackWeightTar: .archive, MediaType.modelPackWeightConfigTar: .archive,
        MediaType.modelPackDocTar: .archive,
        MediaType.ollamaModel: .weights(.gguf), MediaType.ollamaProjector: .projector,
        MediaType.ollamaAdapter: .adapter, MediaType.ollamaLicense: .license,
        MediaType.ollamaSystem: .system, MediaType.ollamaParameters: .parameters,
        MediaType.ollamaTemplate: .goTemplate, MediaType.ollamaMessages: .messages,
        MediaType.systemPrompt: .system, MediaType.parameters: .parameters, MediaType.goTemplate: .goTemplate,
        MediaType.messages: .messages,
    ]

    /// What a file of a model's folder is for, judged by its name.
    init(fileName path: String) {
        let name = path.lowercased()
        let weights = Weights(fileName: name)
        if weights != .other {
            self = .weights(weights)
        } else if name.hasSuffix(".jinja") {
            self = .chatTemplate
        } else if Self.isLicence(name) {
            self = .license
        } else {
            self = name.hasSuffix(".md") ? .document : .file
        }
    }

    private static func isLicence(_ path: String) -> Bool {
        let name = path.split(separator: "/").last ?? ""
        return ["license", "licence", "copying"].contains { name.hasPrefix($0) }
    }

    var isArchive: Bool { self == .archive || self == .packedArchive }

    var isWeights: Bool { if case .weights = self { true } else { false } }

    /// Whether the layer is a file of the model's folder, and not something said about the model.
    var isFile: Bool {
        switch self {
        case .system, .parameters, .goTemplate, .messages, .other: false
        default: true
        }
    }
}

extension LayerKind.Weights {
    init(fileName: String) {
        self = [.gguf, .safetensors, .dduf].first { fileName.lowercased().hasSuffix(".\($0.rawValue)") } ?? .other
    }
}

extension LayerKind {
    /// The media type that docker's format has for it.
    var dockerType: String? {
        switch self {
        case .weights(.gguf): MediaType.gguf
        case .weights(.safetensors): MediaType.safetensors
        case .weights(.dduf): MediaType.dduf
        case .weights(.other), .document, .file: MediaType.modelFile
        case .projector: MediaType.multimodalProjector
        case .adapter: MediaType.loraAdapter
        case .chatTemplate: MediaType.chatTemplate
        case .license: MediaType.license
        case .archive: MediaType.directoryTar
        default: ownType
        }
    }

    /// The media type that ModelPack has for it.
    var modelPackType: String? {
        switch self {
        case .weights, .projector, .adapter: MediaType.modelPackWeight
        case .chatTemplate, .file: MediaType.modelPackWeightConfig
        case .license, .document: MediaType.modelPackDoc
        case .archive: MediaType.modelPackWeightConfigTar
        default: ownType
        }
    }

    private var ownType: String? {
        switch self {
        case .system: MediaType.systemPrompt
        case .parameters: MediaType.parameters
        case .goTemplate: MediaType.goTemplate
        case .messages: MediaType.messages
        default: nil
        }
    }
}

extension Descriptor {
    var kind: LayerKind { LayerKind(self) }
}
