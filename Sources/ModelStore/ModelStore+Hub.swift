package import Core
package import Hub
internal import OCI

extension ModelStore {
    private static let parallelFiles = 3
    private static let attempts = 3

    /// Makes a model of a repository's files, which go straight into the store, and gives it the reference's name.
    ///
    /// Where the name's revision has not moved since the last time, one question to the hub is all there is.
    ///
    /// - Parameter progress: as for a pull from a registry; never called means that nothing was missing.
    /// - Throws: `.unsupported` where no file is a model; what `HuggingFace` throws. Complete blobs stay for the next
    ///   attempt.
    @discardableResult
    package func pull(
        _ name: HubReference, from hub: HuggingFace,
        progress: @escaping @Sendable (PullProgress) async throws -> Void = { _ in }
    ) async throws -> Model {
        let tag = try Self.tagName(ModelReference(parsing: name.description))
        let found = try await find(name, tag: tag, at: hub)
        guard let selection = found.selection else { return try model(named: tag) }
        let lease = try lease(selection.files.compactMap(\.sha256))
        defer { withExtendedLifetime(lease) {} }
        for _ in 0..<Self.attempts {
            let parts = try await fetch(selection, found, from: hub, progress)
            let assembly = ModelAssembly(
                parts: parts, created: found.revision.modified, origin: found.origin, elements: found.revision.elements)
            if let model = try register(assembly.manifest(in: blobs), tag: tag) { return model }
        }
        throw Failure(
            .conflict, "the files of \(name) are removed while they are downloaded",
            advice: "Pull it again when no other process removes models")
    }

    /// What a reference turned out to mean.
    private struct Found: Sendable {
        let name: HubReference
        let revision: HuggingFace.Revision
        /// nil: the stored model is this one.
        let selection: HubSelection?

        var origin: ModelAssembly.Origin { Self.origin(name, revision) }

        static func origin(_ name: HubReference, _ revision: HuggingFace.Revision) -> ModelAssembly.Origin {
            // The hub knows no capitals in names, and the same files are to have the same id.
            ModelAssembly.Origin(
                source: "https://huggingface.co/\(name.repository.lowercased())", revision: revision.commit)
        }
    }

    /// What stands behind the colon is a quantisation, and where no file is called so, a revision.
    private func find(_ name: HubReference, tag: String?, at hub: HuggingFace) async throws -> Found {
        let revision = try await hub.revision(of: name)
        if isStored(tag, Found.origin(name, revision)) { return Found(name: name, revision: revision, selection: nil) }
        let files = try await hub.files(of: name, at: revision.commit)
        do {
            let selection = try HubSelection(of: files, wanted: name.quantization, in: "hf.co/\(name.repository)")
            return Found(name: name, revision: revision, selection: selection)
        } catch let failure as Failure where failure.code == .notFound {
            guard let other = name.withQuantizationAsRevision, let revision = try await existing(other, at: hub) else {
                throw failure
            }
            if isStored(tag, Found.origin(other, revision)) {
                return Found(name: other, revision: revision, selection: nil)
            }
            let files = try await hub.files(of: other, at: revision.commit)
            let selection = try HubSelection(of: files, wanted: nil, in: "\(other)")
            return Found(name: other, revision: revision, selection: selection)
        }
    }

    private func existing(_ name: HubReference, at hub: HuggingFace) async throws -> HuggingFace.Revision? {
        do { return try await hub.revision(of: name) } catch let failure as Failure where failure.code == .notFound {
            return nil
        }
    }

    private func isStored(_ tag: String?, _ origin: ModelAssembly.Origin) -> Bool {
        guard let tag, let model = try? model(named: tag, partial: false) else { return false }
        return ModelAssembly.Origin(of: model.manifest) == origin && isComplete(model.manifest)
    }

    /// Brings in what is missing, a few files at a time; the first failure stops the others.
    private func fetch(
        _ selection: HubSelection, _ found: Found, from hub: HuggingFace,
        _ progress: @escaping @Sendable (PullProgress) async throws -> Void
    ) async throws -> [ModelAssembly.Part] {
        let roles = ModelAssembly.Part.roles(of: selection)
        let total = roles.reduce(0) { $0 + $1.file.size }
        var waiting = Array(roles.indices)[...]
        var digests: [Int: Digest] = [:]
        try await withThrowingTaskGroup(of: (Int, Digest).self) { group in
            func startNext() {
                guard let place = waiting.popFirst() else { return }
                let file = roles[place].file
                group.addTask { [self] in
                    (place, try await fetch(file, found, from: hub, total: total, progress))
                }
            }
            for _ in 0..<Self.parallelFiles { startNext() }
            while let (place, digest) = try await group.next() {
                digests[place] = digest
                startNext()
            }
        }
        return try roles.enumerated().map { place, entry in
            guard let digest = digests[place] else { throw Failure(.internalError, "\(entry.file.path) got lost") }
            return ModelAssembly.Part(
                role: entry.role, path: entry.file.path, digest: digest, size: entry.file.size)
        }
    }

    private func fetch(
        _ file: HubFile, _ found: Found, from hub: HuggingFace, total: Int64,
        _ progress: @escaping @Sendable (PullProgress) async throws -> Void
    ) async throws -> Digest {
        let (name, commit) = (found.name, found.revision.commit)
        guard let digest = file.sha256 else {
            // Its digest, and so its name in the progress, is known when it has come.
            let digest = try await hub.fetch(file, of: name, at: commit, into: blobs)
            try await progress(
                PullProgress(layer: digest, layerSize: file.size, layerCurrent: file.size, total: total))
            return digest
        }
        let layer = Descriptor(mediaType: MediaType.modelFile, digest: digest, size: file.size)
        let step = LayerProgress(layer, total: total, report: progress)
        return try await hub.fetch(file, of: name, at: commit, into: blobs) { try await step.moved(to: $0) }
    }
}

extension ModelStore {
    /// What the hub says of a model that need not be here: its files are listed, none is downloaded.
    ///
    /// - Returns: the model in the API's shape; its id is empty, for it has none before it is put together.
    /// - Throws: what `pull` throws before it downloads.
    package func remote(_ name: String, in hub: HuggingFace) async throws -> JSON {
        let reference = try HubReference(parsing: name)
        let found = try await find(reference, tag: nil, at: hub)
        guard let selection = found.selection else { throw Failure(.internalError, "\(reference) has no files") }
        var config = ModelConfig()
        config.format = selection.format == .gguf ? "gguf" : "safetensors"
        config.quantization = selection.weights.first.flatMap { Quantization.named(in: $0.path) } ?? ""
        config.size = ByteCount(selection.weights.reduce(0) { $0 + $1.size }).binary
        return [
            "id": "", "tags": [], "created": .int(found.revision.modified.seconds), "config": config.json,
            "files": .array(selection.files.map { ["path": .string($0.path), "size": .int($0.size)] }),
            "revision": .string(found.revision.commit),
        ]
    }
}
