internal import Core
internal import NIOCore
internal import OCI

extension ArtifactFormat {
    var configType: String {
        switch self {
        case .dockerV1: MediaType.modelConfig
        case .dockerV2: MediaType.modelConfigV02
        case .modelPack: MediaType.modelPackConfig
        case .ollama: MediaType.imageConfig
        }
    }
}

/// How a draft is written down.
extension PackageDraft {
    private var keepsFormat: Bool { origin.map { ArtifactFormat($0.manifest) == format } ?? false }

    /// A part's layer. What a model of the same format lends keeps its descriptor to the letter.
    func describe(_ part: Part, _ digest: Digest, _ size: Int64) -> Descriptor {
        if case .stored(let layer) = part.content, keepsFormat { return layer }
        var annotations: [String: String] = [:]
        if let name = part.name {
            let metadata: JSON = [
                "name": .string(name.split(separator: "/").last.map(String.init) ?? name), "mode": 0o644, "uid": 0,
                "gid": 0, "size": .int(size), "mtime": .string(config.created.rfc3339), "typeflag": 0,
            ]
            annotations = [
                Annotation.filePath: name, Annotation.fileMetadata: metadata.text,
                Annotation.mediaTypeUntested: "false",
            ]
        }
        if part.kind == .adapter, format == .modelPack { annotations[Annotation.role] = "lora" }
        return Descriptor(
            mediaType: format.type(of: part.kind) ?? MediaType.modelFile, digest: digest, size: size,
            annotations: annotations)
    }

    /// The configuration's bytes.
    func document(_ layers: [Descriptor]) -> ByteBuffer {
        if keepsFormat, let origin, let document = edited(origin, layers) { return document }
        return format == .modelPack ? modelPackDocument(layers) : config.document(layers: layers.map(\.digest))
    }

    func manifest(config: Descriptor, layers: [Descriptor]) -> Manifest {
        if keepsFormat, let origin {
            // Where nothing has changed it is the same model.
            if origin.manifest.layers == layers, origin.manifest.config.digest == config.digest {
                return origin.manifest
            }
            return Manifest(
                config: config, layers: layers, artifactType: origin.manifest.artifactType,
                annotations: origin.manifest.annotations)
        }
        return Manifest(
            config: config, layers: layers, artifactType: format == .modelPack ? MediaType.modelPackManifest : nil)
    }

    /// The origin's configuration, with nothing changed but what has to be: others may know members that we do not.
    private func edited(_ origin: Model, _ layers: [Descriptor]) -> ByteBuffer? {
        guard let document = originDocument, var root = document.object, var inner = root["config"]?.object else {
            return nil
        }
        let section = format == .modelPack ? "modelfs" : "rootfs"
        let list = format == .modelPack ? "diffIds" : "diff_ids"
        let known = (document[section]?[list]?.array ?? []).compactMap(\.string)
        let isKnown = known.count == origin.manifest.layers.count
        // A compressed layer's own digest is not that of its content.
        let contents = Dictionary(
            isKnown ? zip(origin.manifest.layers.map(\.digest), known).map { ($0, $1) } : [], uniquingKeysWith: { $1 })
        if origin.manifest.layers != layers {
            var entries = root[section]?.object ?? JSON.Object([("type", format == .modelPack ? "layers" : "rootfs")])
            entries[list] = .array(layers.map { .string(contents[$0.digest] ?? $0.digest.description) })
            root[section] = .object(entries)
        }
        if format != .modelPack, inner["context_size"]?.int != config.contextSize {
            inner["context_size"] = config.contextSize.map { .int($0) }
        }
        root["config"] = .object(inner)
        let edited = JSON.object(root)
        return edited == document ? originBytes : edited.bytes
    }

    /// A whole configuration of ModelPack's kind.
    private func modelPackDocument(_ layers: [Descriptor]) -> ByteBuffer {
        var inner = JSON.Object()
        for (name, text) in [
            ("architecture", config.architecture), ("format", config.format), ("paramSize", config.parameters),
            ("quantization", config.quantization),
        ] where !text.isEmpty {
            inner[name] = .string(text)
        }
        let document: JSON = [
            "descriptor": ["createdAt": .string(config.created.rfc3339)], "config": .object(inner),
            "modelfs": ["type": "layers", "diffIds": .array(layers.map { .string($0.digest.description) })],
        ]
        return document.bytes
    }
}
