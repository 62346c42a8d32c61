internal import Core
internal import OCI
internal import SystemPackage

/// Which of a model's blobs go where in its bundle: decided before any file is touched.
struct BundlePlan {
    struct File {
        let blob: Descriptor
        /// Relative to the bundle's `model` folder, checked.
        let name: String
    }

    let files: [File]
    private let weights: String
    private let chatTemplate: String?
    private let multimodalProjector: String?

    /// Docker's first kind of model gets fixed names; the others keep those in their annotations.
    init(_ model: Model) throws {
        let layers = model.manifest.layers
        let shards = layers.filter { $0.mediaType == MediaType.gguf }
        var files: [File] = []
        if model.manifest.config.mediaType == MediaType.modelConfig {
            for (number, shard) in shards.enumerated() {
                let name =
                    shards.count == 1
                    ? "model.gguf" : "model-\(Self.five(number + 1))-of-\(Self.five(shards.count)).gguf"
                files.append(File(blob: shard, name: name))
            }
            let others = [(MediaType.multimodalProjector, "model.mmproj"), (MediaType.chatTemplate, "template.jinja")]
            for (type, name) in others {
                guard let blob = layers.first(where: { $0.mediaType == type }) else { continue }
                files.append(File(blob: blob, name: name))
            }
        } else {
            for layer in layers {
                guard let path = layer.annotations[Annotation.filePath] else { continue }
                files.append(File(blob: layer, name: try Self.checked(path)))
            }
            try Self.requireDistinct(files.map(\.name))
        }
        self.files = files
        let weights = files.filter { $0.blob.isWeights && $0.name.lowercased().hasSuffix(".gguf") }.map(\.name).min()
        guard let weights else {
            throw Failure(
                .unsupported, "\(model.tags.first ?? model.id.short) holds no GGUF file, it is \(model.config.format)",
                advice: "Only GGUF models can be run")
        }
        self.weights = weights
        chatTemplate =
            files.first { $0.blob.mediaType == MediaType.chatTemplate || $0.name.lowercased().hasSuffix(".jinja") }?
            .name
        multimodalProjector = files.first { $0.blob.isMultimodalProjector }?.name
    }

    /// - Throws: `.corrupted` for a path that is absolute, empty, or leads out of the folder.
    static func checked(_ path: String) throws -> String {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let isSafe =
            !path.isEmpty && path.utf8.count <= 1024 && !path.utf8.contains(0) && !path.contains("\\")
            && parts.count <= 16 && parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." && $0.utf8.count <= 255 }
        guard isSafe else {
            throw Failure(
                .corrupted, "the model has a file with the forbidden path \(JSON.quoted(String(path.prefix(80))))")
        }
        return path
    }

    /// Two files of one name, on file systems that ignore case too, or a file where another needs a folder.
    private static func requireDistinct(_ names: [String]) throws {
        var taken = Set<String>()
        var folders = Set<String>()
        for name in names.map({ $0.lowercased() }) {
            guard taken.insert(name).inserted else { throw Failure(.corrupted, "the model has two files \(name)") }
            let parts = name.split(separator: "/")
            for count in 1..<max(parts.count, 1) { folders.insert(parts.prefix(count).joined(separator: "/")) }
        }
        guard taken.isDisjoint(with: folders) else {
            throw Failure(.corrupted, "the model has a file where it needs a folder")
        }
    }

    private static func five(_ number: Int) -> String {
        String(repeating: "0", count: max(0, 5 - String(number).count)) + String(number)
    }

    func path(_ file: File, in folder: FilePath) -> FilePath { path(file.name, in: folder) }

    private func path(_ name: String, in folder: FilePath) -> FilePath {
        name.split(separator: "/").reduce(folder.appending("model")) { $0.appending(String($1)) }
    }

    func bundle(in folder: FilePath) -> Bundle {
        Bundle(
            weights: path(weights, in: folder), chatTemplate: chatTemplate.map { path($0, in: folder) },
            multimodalProjector: multimodalProjector.map { path($0, in: folder) })
    }
}
