package import Core
internal import NIOCore
internal import OCI
package import SystemPackage

extension ModelStore {
    /// Makes a model from a GGUF file and gives it a name.
    ///
    /// - Throws: what `package(_:as:progress:)` throws.
    @discardableResult
    package func package(
        gguf file: FilePath, as name: ModelReference, contextSize: Int? = nil, licences: [FilePath] = [],
        chatTemplate: FilePath? = nil, created: Timestamp? = nil
    ) async throws -> Model {
        var recipe = PackageRecipe(.gguf(file))
        recipe.contextSize = contextSize
        recipe.licences = licences.map { .file($0) }
        recipe.chatTemplate = chatTemplate.map { .file($0) }
        recipe.created = created
        return try await package(recipe, as: name)
    }

    /// Makes a model and gives it a name. What a stored model lends stays where it is; files are copied in.
    ///
    /// Equal input gives an equal id: the only time in it is the recipe's, else `SOURCE_DATE_EPOCH` (seconds since
    /// 1970), else that of the newest of the source's files; modes and owners are fixed, and so is the order.
    ///
    /// - Parameter progress: told of every file that is stored, from one task.
    /// - Throws: `.corrupted` for files that are not what they are given as; `.invalidArgument`, `.unsupported` for
    ///   recipes that make no sense; `.notFound`.
    @discardableResult
    package func package(
        _ recipe: PackageRecipe, as name: ModelReference,
        progress: @escaping @Sendable (PackageProgress) async throws -> Void = { _ in }
    ) async throws -> Model {
        let tag = try Self.tagName(name)
        if let contextSize = recipe.contextSize, contextSize < 1 || contextSize > Int(Int32.max) {
            throw Failure(.invalidArgument, "the context size \(contextSize) is not a positive number of tokens")
        }
        var draft = try PackageSource(recipe: recipe, store: self).draft()
        try draft.apply(recipe)
        guard draft.parts.count <= Manifest.maximumLayers else {
            throw Failure(.invalidArgument, "the model has more than \(Manifest.maximumLayers) layers")
        }
        var layers: [Descriptor] = []
        for part in draft.parts { layers.append(try await store(part, of: draft, progress)) }
        let document = draft.document(layers)
        let manifest = draft.manifest(
            config: Descriptor(
                mediaType: draft.format.configType, digest: try blobs.store(document),
                size: Int64(document.readableBytes)),
            layers: layers)
        guard manifest.raw.readableBytes <= Manifest.maximumBytes else {
            throw Failure(.invalidArgument, "the model has too many files: its manifest would be too large")
        }
        guard let model = try register(manifest, tag: tag) else {
            throw Failure(
                .conflict, "the files of \(name.display) were removed while it was packaged", advice: "Try again")
        }
        return model
    }

    private func store(
        _ part: PackageDraft.Part, of draft: PackageDraft,
        _ progress: @escaping @Sendable (PackageProgress) async throws -> Void
    ) async throws -> Descriptor {
        switch part.content {
        case .stored(let descriptor):
            guard blobs.contains(descriptor.digest, size: descriptor.size) else {
                throw Failure(
                    .corrupted, "the file \(descriptor.digest) of the source is missing", advice: "Pull it again")
            }
            return draft.describe(part, descriptor.digest, descriptor.size)
        case .bytes(let bytes):
            return draft.describe(part, try blobs.store(bytes), Int64(bytes.readableBytes))
        case .file(let file):
            let steps = try PackageSteps(file, progress)
            let (digest, size) = try await blobs.store(file: file) { try await steps.moved(to: $0) }
            return draft.describe(part, digest, size)
        }
    }
}
