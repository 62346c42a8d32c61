internal import Core
internal import OCI
package import SystemPackage

/// A model's files laid out for an engine.
package struct Bundle: Hashable, Sendable {
    /// The GGUF file, or the first of several; of safetensors models the folder.
    package let weights: FilePath
    package let chatTemplate: FilePath?
    package let multimodalProjector: FilePath?
    /// LoRA adapters, in the order they are put on the weights.
    package let adapters: [FilePath]
}

extension ModelStore {
    func bundlePath(_ id: Digest) -> FilePath {
        root.appending("bundles").appending(id.algorithm.rawValue).appending(id.hex)
    }

    /// Lays a model's files out as hard links below `bundles/`, or finds them laid out. Archives are unpacked.
    ///
    /// - Throws: `.notFound` when the model has been removed; `.corrupted` for file names that leave the folder or
    ///   blobs that are missing; `.unsupported` when none of its files is GGUF or safetensors, or for links in archives.
    package func bundle(for model: Model) throws -> Bundle {
        // Looked at in full once; from then on only whether somebody has taken the weights away.
        if let known = knownBundle(model.id) { return known }
        let bundle = try layOut(model)
        remember(bundle, of: model.id)
        return bundle
    }

    private func layOut(_ model: Model) throws -> Bundle {
        let plan = try BundlePlan(model)
        let folder = bundlePath(model.id)
        if isCurrent(plan, in: folder) { return try plan.bundle(of: model, in: folder) }
        let parent = folder.removingLastComponent()
        try Files.makeDirectory(parent)
        let temporary = parent.appending(".\(model.id.short).\(Files.unique()).tmp")
        do {
            // Copying what is in archives takes its time, which others who want the lock do not have.
            try unpackArchives(of: plan, model, in: temporary)
            // Under the lock, so that nobody removes the blobs between looking and linking.
            return try change { index in
                guard index.entry(with: model.id) != nil else {
                    throw Self.notFound(model.tags.first ?? model.id.short)
                }
                if isCurrent(plan, in: folder) {
                    try Files.remove(temporary)
                } else {
                    try build(plan, model, in: folder, by: temporary)
                }
                return try plan.bundle(of: model, in: folder)
            }
        } catch {
            try? Files.remove(temporary)
            throw error
        }
    }

    private func isCurrent(_ plan: BundlePlan, in folder: FilePath) -> Bool {
        Files.exists(folder.appending("config.json"))
            && plan.files.allSatisfy { file in
                guard let link = try? POSIX.status(plan.path(file, in: folder), following: false) else { return false }
                return link.isRegular && link.inode == (try? POSIX.status(blobs.path(of: file.blob.digest)))?.inode
            }
    }

    private func unpackArchives(of plan: BundlePlan, _ model: Model, in folder: FilePath) throws {
        if plan.archives.isEmpty { return }
        var unpacking = BundleArchive(into: folder, besides: try BundlePlan.names(model.manifest))
        for archive in plan.archives {
            try requireBlob(archive, of: model)
            try unpacking.unpack(archive, at: blobs.path(of: archive.digest))
        }
    }

    private func requireBlob(_ blob: Descriptor, of model: Model) throws {
        guard blobs.contains(blob.digest, size: blob.size) else {
            throw Failure(
                .corrupted, "the file \(blob.digest) of \(model.tags.first ?? model.id.short) is missing",
                advice: "Pull the model again")
        }
    }

    private func build(_ plan: BundlePlan, _ model: Model, in folder: FilePath, by temporary: FilePath) throws {
        for file in plan.files {
            let path = plan.path(file, in: temporary)
            try Files.makeDirectory(path.removingLastComponent())
            try requireBlob(file.blob, of: model)
            try Files.wrap("cannot link \(path)") { try POSIX.link(blobs.path(of: file.blob.digest), to: path) }
        }
        try Files.write(model.config.json.bytes, to: temporary.appending("config.json"))
        try Files.remove(folder)
        try Files.wrap("cannot put \(folder) in place") { try POSIX.rename(temporary, to: folder) }
    }
}
