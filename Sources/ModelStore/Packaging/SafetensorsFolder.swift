internal import Core
internal import OCI
internal import SystemPackage

/// A folder with a model in safetensors format: the weights and everything that belongs to them.
struct SafetensorsFolder {
    private static let maximumDepth = 8
    private static let contextKeys = [
        "max_position_embeddings", "n_ctx", "n_positions", "max_length", "max_sequence_length", "model_max_length",
    ]

    let folder: FilePath

    init(_ folder: FilePath) { self.folder = folder }

    func draft(_ recipe: PackageRecipe) throws -> PackageDraft {
        guard try Files.wrap("cannot read \(folder)", { try POSIX.status(folder) }).isDirectory else {
            throw Failure(.invalidArgument, "\(folder) is not a folder", advice: "Give the folder of the model's files")
        }
        let names = try Self.names(in: folder, prefix: "", depth: 0)
        let parts = names.map { name in
            PackageDraft.Part(LayerKind(fileName: name), name, .file(path(name)))
        }
        let weights = parts.filter { $0.kind == .weights(.safetensors) }.compactMap(\.name)
        guard !weights.isEmpty else {
            throw Failure(
                .invalidArgument, "\(folder) holds no .safetensors file", advice: "Give the folder of the model's files"
            )
        }
        let heads = try weights.map { try Safetensors(reading: path($0)) }
        guard heads.contains(where: { $0.tensorCount > 0 }) else {
            throw Failure(.corrupted, "\(folder) holds no weights")
        }
        var config = try describe(heads)
        config.created = try PackageSource.time(recipe, names.map(path))
        return PackageDraft(parts: parts, config: config, format: recipe.format == .cncf ? .modelPack : .dockerV2)
    }

    private func path(_ name: String) -> FilePath {
        name.split(separator: "/").reduce(folder) { $0.appending(String($1)) }
    }

    /// The regular files, sorted; hidden ones and links are left out.
    private static func names(in folder: FilePath, prefix: String, depth: Int) throws -> [String] {
        guard depth < maximumDepth else {
            throw Failure(.invalidArgument, "\(folder) is nested too deep for a model's folder")
        }
        var names: [String] = []
        for name in try Files.wrap("cannot read \(folder)", { try POSIX.list(folder) }) where !name.hasPrefix(".") {
            let path = folder.appending(name)
            let status = try Files.wrap("cannot read \(path)") { try POSIX.status(path, following: false) }
            if status.isDirectory {
                names += try Self.names(in: path, prefix: "\(prefix)\(name)/", depth: depth + 1)
            } else if status.isRegular {
                names.append(try BundlePath.checked("\(prefix)\(name)"))
            }
            guard names.count < Manifest.maximumLayers - 64 else {
                throw Failure(.resourceExhausted, "\(folder) holds too many files for a model")
            }
        }
        return names
    }

    private func describe(_ heads: [Safetensors]) throws -> ModelConfig {
        var parameters: UInt64 = 0
        var types: [String: UInt64] = [:]
        for head in heads {
            let (sum, overflow) = parameters.addingReportingOverflow(head.parameters)
            guard !overflow else { throw Failure(.corrupted, "\(folder) has an impossible number of parameters") }
            parameters = sum
            types.merge(head.types) { $0 &+ $1 }
        }
        var config = ModelConfig()
        config.format = "safetensors"
        config.parameters = ParameterCount.text(parameters)
        config.quantization = Safetensors.quantization(types)
        config.size = ByteCount(heads.reduce(0) { $0 + $1.dataSize }).binary
        config.safetensors = heads.first?.metadata ?? [:]
        config.safetensors["tensor_count"] = String(heads.reduce(0) { $0 + $1.tensorCount })
        // Not every model has one, and what is in it is for the engine that wants it to judge.
        if let json = try? JSON(parsing: Files.read(folder.appending("config.json"), limit: 4 << 20)) {
            config.architecture = json["model_type"]?.string ?? json["architectures"]?.array?.first?.string ?? ""
            let sources = [json, json["text_config"] ?? .null]
            config.contextSize = sources.lazy.flatMap { source in Self.contextKeys.lazy.compactMap { source[$0]?.int } }
                .first { $0 > 0 && $0 <= Int(Int32.max) }
        }
        return config
    }
}
