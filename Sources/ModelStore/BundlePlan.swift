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
    /// Archives whose files belong into the bundle too.
    let archives: [Descriptor]
    /// nil: engines for this format take the whole folder.
    private let weights: String?
    private let chatTemplate: String?
    private let multimodalProjector: String?
    private let adapters: [String]

    /// Docker's first kind of model and Ollama's get fixed names; the others keep those in their annotations.
    ///
    /// - Throws: `.unsupported` when none of the files is GGUF or safetensors; `.corrupted` for names that clash or lead out.
    init(_ model: Model) throws {
        let layers = model.manifest.layers
        let format = ArtifactFormat(model.manifest)
        let keepsNames = format == .dockerV2 || format == .modelPack
        let files = try keepsNames ? Self.annotated(layers, isModelPack: format == .modelPack) : Self.fixed(layers)
        archives = layers.filter { $0.kind == .archive }
        self.files = files
        func names(_ kind: LayerKind) -> [String] { files.filter { $0.blob.kind == kind }.map(\.name) }
        // Of several parts, which are numbered, the engine wants the first.
        weights = names(.weights(.gguf)).min()
        guard weights != nil || !names(.weights(.safetensors)).isEmpty else {
            throw Failure(
                .unsupported, "\(model.tags.first ?? model.id.short) holds no GGUF file, it is \(model.config.format)",
                advice: "Only GGUF and safetensors models can be run")
        }
        chatTemplate = names(.chatTemplate).first
        multimodalProjector = names(.projector).first
        adapters = names(.adapter)
    }

    private static func fixed(_ layers: [Descriptor]) throws -> [File] {
        let shards = layers.filter { $0.kind == .weights(.gguf) }
        var files: [File] = []
        for (number, shard) in shards.enumerated() {
            let name =
                shards.count == 1 ? "model.gguf" : GGUFParts.name("model", number + 1, of: shards.count)
            files.append(File(blob: shard, name: name))
        }
        for (kind, name) in [(LayerKind.projector, "model.mmproj"), (.chatTemplate, "template.jinja")] {
            guard let blob = layers.first(where: { $0.kind == kind }) else { continue }
            files.append(File(blob: blob, name: name))
        }
        for (number, adapter) in layers.filter({ $0.kind == .adapter }).enumerated() {
            files.append(File(blob: adapter, name: "adapter-\(GGUFParts.five(number + 1)).gguf"))
        }
        return files
    }

    /// - Parameter isModelPack: its tools write paths relative to where they were called, `../model.gguf`; what leads
    ///   out is left out.
    private static func annotated(_ layers: [Descriptor], isModelPack: Bool) throws -> [File] {
        var files: [File] = []
        for layer in layers where layer.kind != .archive {
            guard var path = layer.annotations[Annotation.filePath]?[...] else { continue }
            while isModelPack, path.hasPrefix("../") { path = path.dropFirst(3) }
            files.append(File(blob: layer, name: try BundlePath.checked(String(path))))
        }
        var names = BundlePath.Names()
        for file in files { try names.take(file.name) }
        return files
    }

    func path(_ file: File, in folder: FilePath) -> FilePath { BundlePath.place(file.name, in: folder) }

    func bundle(in folder: FilePath) -> Bundle {
        func place(_ name: String) -> FilePath { BundlePath.place(name, in: folder) }
        return Bundle(
            weights: weights.map(place) ?? BundlePath.folder(in: folder), chatTemplate: chatTemplate.map(place),
            multimodalProjector: multimodalProjector.map(place), adapters: adapters.map(place))
    }
}
