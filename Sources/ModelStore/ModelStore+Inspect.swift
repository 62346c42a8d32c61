internal import Core
package import OCI

extension ModelStore {
    /// Bytes of all models' files; what several models or bundles share counts once.
    package var diskUsage: Int64 { Files.diskUsage(root) }

    /// What a registry says of a model that need not be here; it has no tags.
    ///
    /// - Throws: `.unsupported` for an artifact that is no model; what `Registry` throws.
    package static func remote(_ name: ModelReference, in registry: Registry) async throws -> Model {
        let manifest = try await registry.resolve(name.reference)
        try requireModel(manifest, name.display)
        let config = try ModelConfig(parsing: await registry.config(of: manifest, in: name.reference))
        return Model(id: manifest.digest, tags: [], manifest: manifest, config: config.completed(from: manifest))
    }
}
