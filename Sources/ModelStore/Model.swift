package import Core
package import OCI

/// A stored model: one manifest, the names it goes by, and what its configuration says.
package struct Model: Hashable, Sendable, Identifiable {
    /// The manifest's digest.
    package let id: Digest
    /// Canonical names, `docker.io/ai/x:latest`; none for a model only its id finds.
    package let tags: [String]
    package let manifest: Manifest
    package let config: ModelConfig
    package let customization: Customization

    init(
        id: Digest, tags: [String], manifest: Manifest, config: ModelConfig,
        customization: Customization = Customization()
    ) {
        self.id = id
        self.tags = tags
        self.manifest = manifest
        self.config = config
        self.customization = customization
    }

    /// Seconds since 1970.
    package var created: Int64 { config.created.seconds }

    /// Bytes of all its layers.
    package var size: Int64 { manifest.layersSize }

    /// The model in the API's shape; what only some models have comes last.
    package var json: JSON {
        var object = JSON.Object([
            ("id", .string(id.description)), ("tags", .array(tags.map { .string($0) })), ("created", .int(created)),
            ("config", config.json),
        ])
        object["customization"] = customization.json
        return .object(object)
    }
}
