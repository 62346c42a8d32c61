package import Core
package import NIOCore
package import OCI

/// What an artifact says about its model: the part of its configuration that the product uses.
package struct ModelConfig: Hashable, Sendable {
    package var format = ""
    package var quantization = ""
    /// For people: `361.82M`.
    package var parameters = ""
    package var architecture = ""
    /// For people: `256.35MiB`.
    package var size = ""
    /// The GGUF file's metadata as texts.
    package var gguf: [String: String] = [:]
    package var safetensors: [String: String] = [:]
    package var diffusers: [String: String] = [:]
    /// Tokens to run with, where the packager chose.
    package var contextSize: Int?
    package var created = Timestamp(seconds: 0)

    package init() {}

    /// Reads a configuration of docker's or ModelPack's kind.
    ///
    /// - Throws: `.corrupted` when it is neither.
    package init(parsing bytes: ByteBuffer) throws {
        let json: JSON
        do { json = try JSON(parsing: bytes) } catch {
            throw Failure(.corrupted, "the model's configuration is not JSON", cause: error)
        }
        guard let config = json["config"], config.object != nil else {
            throw Failure(.corrupted, "the model's configuration lacks its config member")
        }
        let descriptor = json["descriptor"]
        let isModelPack = config["paramSize"] != nil || descriptor?["createdAt"] != nil || json["modelfs"] != nil
        format = config["format"]?.string ?? ""
        quantization = config["quantization"]?.string ?? ""
        architecture = config["architecture"]?.string ?? ""
        let time = descriptor?[isModelPack ? "createdAt" : "created"]?.string
        created = time.flatMap { Timestamp(rfc3339: $0) } ?? Timestamp(seconds: 0)
        parameters = Self.joined(config[isModelPack ? "paramSize" : "parameters"]?.string)
        guard !isModelPack else { return }
        size = Self.joined(config["size"]?.string)
        gguf = Self.texts(config["gguf"])
        safetensors = Self.texts(config["safetensors"])
        diffusers = Self.texts(config["diffusers"])
        contextSize = config["context_size"]?.int.flatMap { $0 > 0 && $0 <= Int(Int32.max) ? $0 : nil }
    }

    /// What a GGUF file says of itself.
    package init(_ file: GGUF, created: Timestamp, contextSize: Int?) {
        format = "gguf"
        quantization = file.quantization ?? ""
        parameters = file.parametersText
        architecture = file.architecture ?? ""
        size = ByteCount(file.dataSize).binary
        gguf = file.metadata
        self.contextSize = contextSize
        self.created = created
    }

    /// `361.82 M`, as some tools write it, without the space.
    private static func joined(_ text: String?) -> String { String((text ?? "").filter { !$0.isWhitespace }) }

    private static func texts(_ json: JSON?) -> [String: String] {
        let pairs = json?.object?.members.compactMap { member in member.value.string.map { (member.name, $0) } }
        return Dictionary(pairs ?? [], uniquingKeysWith: { $1 })
    }
}

extension ModelConfig {
    /// The `config` member, as the artifact's configuration, the API and a bundle have it.
    package var json: JSON {
        var object = JSON.Object()
        for (name, text) in [
            ("format", format), ("quantization", quantization), ("parameters", parameters),
            ("architecture", architecture), ("size", size),
        ] where !text.isEmpty {
            object[name] = .string(text)
        }
        for (name, texts) in [("gguf", gguf), ("safetensors", safetensors), ("diffusers", diffusers)]
        where !texts.isEmpty {
            object[name] = .object(JSON.Object(texts.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }))
        }
        if let contextSize { object["context_size"] = .int(contextSize) }
        return .object(object)
    }

    /// A whole configuration of docker's kind, v0.1; equal values have equal bytes.
    package func document(layers: [Digest]) -> ByteBuffer {
        let document: JSON = [
            "config": json,
            "descriptor": ["created": .string(created.rfc3339)],
            "rootfs": ["type": "rootfs", "diff_ids": .array(layers.map { .string($0.description) })],
        ]
        return document.bytes
    }

    /// Tokens the model is made for: the packager's choice, else what the GGUF file says; nil where neither does.
    package var contextLength: Int? {
        contextSize ?? gguf["\(architecture).context_length"].flatMap { Int($0) }
    }

    /// Fills in what a ModelPack configuration leaves to the layers.
    func completed(from manifest: Manifest) -> ModelConfig {
        var config = self
        let weights = manifest.layers.filter(\.isWeights)
        if config.format.isEmpty {
            let names = weights.map { $0.annotations[Annotation.filePath]?.lowercased() ?? "" }
            for (format, types) in [
                ("gguf", [MediaType.gguf, MediaType.modelPackWeightGGUF]),
                ("safetensors", [MediaType.safetensors, MediaType.modelPackWeightSafetensors]),
                ("dduf", [MediaType.dduf]),
            ]
            where weights.contains(where: { types.contains($0.mediaType) })
                || names.contains(where: { $0.hasSuffix(".\(format)") })
            {
                config.format = format
                break
            }
        }
        if config.size.isEmpty, !weights.isEmpty {
            config.size = ByteCount(weights.reduce(0) { $0 + $1.size }).binary
        }
        return config
    }
}

extension Descriptor {
    /// Whether a layer holds (a part of) the model itself.
    var isWeights: Bool {
        switch mediaType {
        case MediaType.gguf, MediaType.safetensors, MediaType.dduf, MediaType.modelPackWeight,
            MediaType.modelPackWeightGGUF, MediaType.modelPackWeightSafetensors:
            !isMultimodalProjector
        default: false
        }
    }

    var isMultimodalProjector: Bool {
        mediaType == MediaType.multimodalProjector
            || mediaType == MediaType.modelPackWeight
                && annotations[Annotation.filePath]?.lowercased().contains("mmproj") == true
    }
}
