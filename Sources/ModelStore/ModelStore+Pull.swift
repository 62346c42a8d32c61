internal import Core
internal import NIOCore
internal import NIOPosix
package import OCI

extension ModelStore {
    private static let parallelLayers = 3

    /// Downloads a model and gives it the reference's tag. Blobs that are there are not downloaded again.
    ///
    /// - Parameter progress: told of every layer, from up to three tasks at once. Never called means that nothing was
    ///   missing: the model was there already.
    /// - Throws: `.unsupported` for an artifact that is no model; what `Registry` throws. Nothing half-done stays but
    ///   complete blobs, which the next attempt uses.
    @discardableResult
    package func pull(
        _ name: ModelReference, from registry: Registry,
        progress: @escaping @Sendable (PullProgress) async throws -> Void = { _ in }
    ) async throws -> Model {
        guard !name.isOnlyID else {
            throw Failure(.invalidArgument, "\(name.id ?? "") is an id; registries know models by name only")
        }
        let tag = name.reference.tag.map { "\(name.reference.name):\($0)" }
        let manifest = try await registry.resolve(name.reference)
        try Self.requireModel(manifest, name.display)
        try BundlePlan.check(manifest)
        var lease: BlobLease? = try lease(manifest.layers.map(\.digest) + [manifest.config.digest])
        defer { withExtendedLifetime(lease) {} }
        // Another process may remove a blob between its check and the index; then it is fetched again.
        for _ in 0..<3 {
            if !isComplete(manifest) { try await fetch(manifest, name, registry, progress) }
            do { try await checkContent(manifest) } catch {
                // Nobody will want these again.
                lease = nil
                try? removeUnneeded(manifest.layers.filter(\.kind.isArchive).map(\.digest))
                throw error
            }
            if let model = try register(manifest, tag: tag) { return model }
        }
        throw Failure(
            .conflict, "the files of \(name.display) are removed while they are downloaded",
            advice: "Pull it again when no other process removes models")
    }

    /// Looks into what has come, once; what a known model has was looked at before.
    ///
    /// - Throws: `.corrupted`, `.unsupported`, `.resourceExhausted` for archives that are not to be unpacked.
    func checkContent(_ manifest: Manifest) async throws {
        guard manifest.layers.contains(where: \.kind.isArchive), try index().entry(with: manifest.digest) == nil else {
            return
        }
        try await NIOThreadPool.singleton.runIfActive { try self.checkArchives(manifest) }
    }

    private func fetch(
        _ manifest: Manifest, _ name: ModelReference, _ registry: Registry,
        _ progress: @escaping @Sendable (PullProgress) async throws -> Void
    ) async throws {
        let isConfigured = blobs.contains(manifest.config.digest, size: manifest.config.size)
        let config = isConfigured ? nil : try await registry.config(of: manifest, in: name.reference)
        // Checked before gigabytes are downloaded for it, kept only when they have come.
        if let config { _ = try ModelConfig(parsing: config) }
        try await eachLayer(of: manifest, progress) { [blobs] layer, step in
            try await registry.fetchBlob(layer, in: name.reference, into: blobs) { try await step.moved(to: $0) }
        }
        if let config {
            var ingest = try Ingest(into: blobs, expecting: (manifest.config.digest, manifest.config.size))
            try ingest.write(config)
            try await ingest.commit()
        }
    }

    /// Uploads a model under a reference: layers, then the configuration, then the manifest.
    ///
    /// - Parameter source: the stored name, where it is not the reference itself.
    /// - Throws: `.notFound` when there is no such model; what `Registry` throws.
    package func push(
        _ name: ModelReference, source: String? = nil, to registry: Registry,
        progress: @escaping @Sendable (PullProgress) async throws -> Void = { _ in }
    ) async throws {
        _ = try Self.tagName(name)
        let model = try model(named: source ?? name.canonical, partial: false)
        try await eachLayer(of: model.manifest, progress) { [self] layer, step in
            let sources = repositories(holding: layer.digest, besides: name.reference)
            try await registry.pushBlob(
                layer, file: blobs.path(of: layer.digest), to: name.reference, mounting: sources
            ) { try await step.moved(to: $0) }
        }
        let config = model.manifest.config
        try await registry.pushBlob(
            config, file: blobs.path(of: config.digest), to: name.reference,
            mounting: repositories(holding: config.digest, besides: name.reference))
        try await registry.pushManifest(model.manifest, to: name.reference)
    }

    /// Does something for every distinct layer, a few at a time; the first failure stops the others.
    private func eachLayer(
        of manifest: Manifest, _ progress: @escaping @Sendable (PullProgress) async throws -> Void,
        _ body: @escaping @Sendable (Descriptor, LayerProgress) async throws -> Void
    ) async throws {
        var seen = Set<Digest>()
        var layers = manifest.layers.filter { seen.insert($0.digest).inserted }[...]
        let total = layers.reduce(0) { $0 + $1.size }
        try await withThrowingTaskGroup(of: Void.self) { group in
            func startNext() {
                guard let layer = layers.popFirst() else { return }
                group.addTask { try await body(layer, LayerProgress(layer, total: total, report: progress)) }
            }
            for _ in 0..<Self.parallelLayers { startNext() }
            while try await group.next() != nil { startNext() }
        }
    }
}
