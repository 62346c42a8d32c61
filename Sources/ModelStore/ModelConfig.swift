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

    /// Reads a configuration of docker's, ModelPack's or Ollama's kind.
    ///
    /// - Throws: `.corrupted` when it is none of them.
    package init(parsing bytes: ByteBuffer) throws {
        let json: JSON
        do { json = try JSON(parsing: bytes) } catch {
            throw Failure(.corrupted, "the model's configuration is not JSON", cause: error)
        }
        if let format = json["model_format"]?.string {
            readOllama(json, format: format)
            return
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
        guard !isModelPack else {
            if quantization.isEmpty { quantization = config["precision"]?.string ?? "" }
            return
        }
        size = Self.joined(config["size"]?.string)
        gguf = Self.texts(config["gguf"])
        safetensors = Self.texts(config["safetensors"])
        diffusers = Self.texts(config["diffusers"])
        contextSize = config["context_size"]?.int.flatMap { $0 > 0 && $0 <= Int(Int32.max) ? $0 : nil }
    }

    private mutating func readOllama(_ json: JSON, format: String) {
        self.format = format
        quantization = json["file_type"]?.string ?? ""
        parameters = Self.joined(json["model_type"]?.string)
        architecture = json["model_family"]?.string ?? ""
    }

    /// What a GGUF model says of itself.
    ///
    /// - Parameter parts: the files it is split into; the first one describes the whole.
    package init(_ parts: [GGUF], created: Timestamp, contextSize: Int?) {
        format = "gguf"
        quantization = parts.first?.quantization ?? ""
        parameters = ParameterCount.text(parts.reduce(0) { $0 &+ $1.parameters })
        architecture = parts.first?.architecture ?? ""
        size = ByteCount(parts.reduce(0) { $0 + $1.dataSize }).binary
        gguf = parts.first?.metadata ?? [:]
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
    package var contextLength: Int? { contextSize ?? trainedContext }

    /// Tokens the GGUF file says it was made for.
    package var trainedContext: Int? {
        gguf["\(gguf["general.architecture"] ?? architecture).context_length"]
            .flatMap { Int($0) }.flatMap { $0 > 0 && $0 <= Int(Int32.max) ? $0 : nil }
    }

    /// Fills in what a configuration leaves to the layers.
    func completed(from manifest: Manifest) -> ModelConfig {
        var config = self
        let weights = manifest.layers.filter(\.kind.isWeights)
        if config.format.isEmpty {
            let kinds = weights.map(\.kind)
            let known = [LayerKind.Weights.gguf, .safetensors, .dduf].first { kinds.contains(.weights($0)) }
            config.format = known?.rawValue ?? ""
        }
        if config.size.isEmpty, !weights.isEmpty {
            config.size = ByteCount(weights.reduce(0) { $0 + $1.size }).binary
        }
        return config
    }

    /// Fills in what ModelPack's and Ollama's configurations have no words for, from the GGUF file itself.
    func completed(from file: GGUF) -> ModelConfig {
        var config = self
        config.gguf = file.metadata
        // The general words that these have for it say less than the file.
        if let architecture = file.architecture { config.architecture = architecture }
        if config.quantization.isEmpty { config.quantization = file.quantization ?? "" }
        if file.parts == 1 {
            if config.parameters.isEmpty { config.parameters = file.parametersText }
            config.size = ByteCount(file.dataSize).binary
        }
        return config
    }
}
