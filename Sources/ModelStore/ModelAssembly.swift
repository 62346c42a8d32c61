internal import Core
internal import Hub
internal import NIOCore
internal import OCI

/// A model made of files that are not an artifact yet: what becomes of a hub's repository or another tool's cache.
///
/// Equal files, times and origin give an equal id; nothing of the machine is in it.
struct ModelAssembly: Sendable {
    enum Role: Sendable {
        case gguf, safetensors, projector, chatTemplate, licence, other

        fileprivate var mediaType: String {
            switch self {
            case .gguf: MediaType.gguf
            case .safetensors: MediaType.safetensors
            case .projector: MediaType.multimodalProjector
            case .chatTemplate: MediaType.chatTemplate
            case .licence: MediaType.license
            case .other: MediaType.modelFile
            }
        }
    }

    /// A file whose blob is stored.
    struct Part: Sendable {
        let role: Role
        /// Relative, safe.
        let path: String
        let digest: Digest
        /// Bytes.
        let size: Int64
    }

    /// Where it comes from, for the manifest: `https://…` and the commit.
    struct Origin: Sendable, Hashable {
        let source: String
        let revision: String?

        static let sourceName = "org.opencontainers.image.source"
        static let revisionName = "org.opencontainers.image.revision"

        /// What an earlier assembly has noted.
        init?(of manifest: Manifest) {
            guard let source = manifest.config.annotations[Self.sourceName] else { return nil }
            self.init(source: source, revision: manifest.config.annotations[Self.revisionName])
        }

        init(source: String, revision: String?) {
            self.source = source
            self.revision = revision
        }

        fileprivate var annotations: [String: String] {
            var annotations = [Self.sourceName: source]
            annotations[Self.revisionName] = revision
            return annotations
        }
    }

    let parts: [Part]
    let created: Timestamp
    let origin: Origin
    /// Of safetensors files: elements by type, where they are known.
    var elements: [String: Int] = [:]

    /// Writes the configuration and the manifest.
    ///
    /// - Throws: `.corrupted` when a weights file is not what its name says.
    func manifest(in blobs: BlobStore) throws -> Manifest {
        let isGGUF = parts.contains { $0.role == .gguf }
        let config = try isGGUF ? gguf(in: blobs) : safetensors(in: blobs)
        let document = config.document(layers: parts.map(\.digest))
        return Manifest(
            config: Descriptor(
                mediaType: isGGUF ? MediaType.modelConfig : MediaType.modelConfigV02,
                digest: try blobs.store(document), size: Int64(document.readableBytes),
                annotations: origin.annotations),
            layers: parts.map(layer))
    }

    private func layer(_ part: Part) -> Descriptor {
        let name = String(part.path.split(separator: "/").last ?? "file")
        let metadata: JSON = [
            "name": .string(name), "mode": 0o644, "uid": 0, "gid": 0, "size": .int(part.size),
            "mtime": .string(created.rfc3339), "typeflag": 0,
        ]
        return Descriptor(
            mediaType: part.role.mediaType, digest: part.digest, size: part.size,
            annotations: [
                Annotation.filePath: part.path, Annotation.fileMetadata: metadata.text,
                Annotation.mediaTypeUntested: "false",
            ])
    }

    private func gguf(in blobs: BlobStore) throws -> ModelConfig {
        let weights = parts.filter { $0.role == .gguf }
        let heads = try weights.map { try GGUF(reading: blobs.path(of: $0.digest)) }
        guard heads.contains(where: { $0.parameters > 0 }) else {
            throw Failure(.corrupted, "\(weights.first?.path ?? "the model") holds no weights")
        }
        return ModelConfig(heads, created: created, contextSize: nil)
    }

    private func safetensors(in blobs: BlobStore) throws -> ModelConfig {
        var config = ModelConfig()
        config.format = "safetensors"
        config.created = created
        config.size = ByteCount(parts.filter { $0.role == .safetensors }.reduce(0) { $0 + $1.size }).binary
        let total = elements.values.reduce(UInt64(0)) { $0 &+ UInt64($1) }
        if total > 0 { config.parameters = ParameterCount.text(total) }
        config.quantization = elements.count == 1 ? elements.keys.first ?? "" : elements.isEmpty ? "unknown" : "mixed"
        guard let file = parts.first(where: { $0.path == "config.json" }),
            let json = try? JSON(parsing: blobs.read(file.digest))
        else { return config }
        config.architecture = json["model_type"]?.string ?? json["architectures"]?.array?.first?.string ?? ""
        let keys = [
            "max_position_embeddings", "n_ctx", "n_positions", "max_length", "max_sequence_length", "model_max_length",
        ]
        config.contextSize = keys.lazy.compactMap { json[$0]?.int }.first { $0 > 0 && $0 <= Int(Int32.max) }
        return config
    }
}

extension ModelAssembly.Part {
    /// The files of a selection, in the order of the layers.
    static func roles(of selection: HubSelection) -> [(role: ModelAssembly.Role, file: HubFile)] {
        selection.weights.map { (selection.format == .gguf ? .gguf : .safetensors, $0) }
            + [selection.projector].compactMap(\.self).map { (.projector, $0) }
            + [selection.chatTemplate].compactMap(\.self).map { (.chatTemplate, $0) }
            + selection.licences.map { (.licence, $0) } + selection.others.map { (.other, $0) }
    }
}
