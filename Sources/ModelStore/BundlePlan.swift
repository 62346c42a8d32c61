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
    /// nil where they are in an archive.
    private let weights: String?
    private let chatTemplate: String?
    private let multimodalProjector: String?
    private let adapters: [String]

    /// Docker's first kind of model and Ollama's get fixed names; the others keep those in their annotations.
    ///
    /// - Throws: `.unsupported` when none of the files is GGUF; `.corrupted` for names that clash or lead out.
    init(_ model: Model) throws {
        let files = try Self.files(model.manifest)
        archives = model.manifest.layers.filter(\.kind.isArchive)
        self.files = files
        func names(_ kind: LayerKind) -> [String] { files.filter { $0.blob.kind == kind }.map(\.name) }
        // Of several parts, which are numbered, the engine wants the first.
        weights = names(.weights(.gguf)).min()
        guard weights != nil || !archives.isEmpty else { throw Self.holdsNoGGUF(model) }
        chatTemplate = names(.chatTemplate).first
        multimodalProjector = names(.projector).first
        adapters = names(.adapter)
    }

    private static func holdsNoGGUF(_ model: Model) -> Failure {
        Failure(
            .unsupported, "\(model.tags.first ?? model.id.short) holds no GGUF file, it is \(model.config.format)",
            advice: "Only GGUF models can be run")
    }

    private static func files(_ manifest: Manifest) throws -> [File] {
        let format = ArtifactFormat(manifest)
        let keepsNames = format == .dockerV2 || format == .modelPack
        return try keepsNames
            ? annotated(manifest.layers, isModelPack: format == .modelPack) : fixed(manifest.layers)
    }

    /// The names that a model's files will have in a bundle, but for those in archives.
    ///
    /// - Throws: `.corrupted` for names that clash or lead out.
    static func names(_ manifest: Manifest) throws -> BundlePath.Names {
        var names = BundlePath.Names()
        for file in try files(manifest) { try names.take(file.name) }
        return names
    }

    /// Looks at what a manifest says of its files, before one of them is downloaded.
    ///
    /// - Throws: `.corrupted` for names that clash or lead out, in annotations that are not needed too; `.unsupported`
    ///   for files in a form that is not read.
    static func check(_ manifest: Manifest) throws {
        let isModelPack = ArtifactFormat(manifest) == .modelPack
        for layer in manifest.layers {
            guard !LayerKind.isUnreadable(layer) else {
                throw Failure(
                    .unsupported, "the model's files are compressed with zstd, which is not read here",
                    advice: "Ask its publisher for files that are raw, plain tar or gzip")
            }
            guard let path = layer.annotations[Annotation.filePath], layer.kind.isFile else { continue }
            _ = try BundlePath.checked(inside(path, isModelPack: isModelPack))
        }
        _ = try names(manifest)
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

    /// ModelPack's tools write paths relative to where they were called, `../model.gguf`; what leads out is left out.
    private static func inside(_ path: String, isModelPack: Bool) -> String {
        var path = path[...]
        while isModelPack, path.hasPrefix("../") { path = path.dropFirst(3) }
        return String(path)
    }

    private static func annotated(_ layers: [Descriptor], isModelPack: Bool) throws -> [File] {
        var files: [File] = []
        for layer in layers where !layer.kind.isArchive {
            guard let path = layer.annotations[Annotation.filePath] else { continue }
            files.append(File(blob: layer, name: try BundlePath.checked(inside(path, isModelPack: isModelPack))))
        }
        var names = BundlePath.Names()
        for file in files { try names.take(file.name) }
        return files
    }

    func path(_ file: File, in folder: FilePath) -> FilePath { BundlePath.place(file.name, in: folder) }

    /// - Throws: `.unsupported` when none of its files is GGUF.
    func bundle(of model: Model, in folder: FilePath) throws -> Bundle {
        func place(_ name: String) -> FilePath { BundlePath.place(name, in: folder) }
        let unpacked = weights == nil ? try Self.list(folder.appending("model")).sorted() : []
        func found(_ suffix: String) -> FilePath? {
            let name = unpacked.first { $0.lowercased().hasSuffix(suffix) && !$0.lowercased().contains("mmproj") }
            return name.map(place)
        }
        guard let file = weights.map(place) ?? found(".gguf") else { throw Self.holdsNoGGUF(model) }
        let projector = unpacked.first { $0.lowercased().hasSuffix(".gguf") && $0.lowercased().contains("mmproj") }
        return Bundle(
            weights: file, chatTemplate: chatTemplate.map(place) ?? found(".jinja"),
            multimodalProjector: (multimodalProjector ?? projector).map(place), adapters: adapters.map(place))
    }

    /// The files below a folder that was unpacked here; no deeper than checked names are.
    private static func list(_ folder: FilePath) throws -> [String] {
        try Files.wrap("cannot read \(folder)") {
            try POSIX.list(folder).flatMap { name -> [String] in
                let path = folder.appending(name)
                guard try POSIX.status(path, following: false).isDirectory else { return [name] }
                return try list(path).map { "\(name)/\($0)" }
            }
        }
    }
}
