internal import Core
package import OCI

/// In whose words an artifact describes its model.
package enum ArtifactFormat: Sendable, Hashable {
    /// Docker's: weights under fixed names (v0.1), or one layer per file of a folder (v0.2).
    case dockerV1
    case dockerV2
    /// The CNCF's ModelPack.
    case modelPack
    /// Ollama's registry: a container image's configuration, and layers of Ollama's types.
    case ollama

    /// nil for what is no model: an image that somebody runs, a chart, a signature.
    package init?(_ manifest: Manifest) {
        switch manifest.config.mediaType {
        case MediaType.modelConfig: self = .dockerV1
        case MediaType.modelConfigV02: self = .dockerV2
        case MediaType.modelPackConfig: self = .modelPack
        case MediaType.imageConfig where manifest.layers.contains { $0.mediaType == MediaType.ollamaModel }:
            self = .ollama
        default: return nil
        }
    }

    static let supported = [MediaType.modelConfig, MediaType.modelConfigV02, MediaType.modelPackConfig]
}

extension ModelStore {
    /// - Throws: `.unsupported` for an artifact that is no model.
    static func requireModel(_ manifest: Manifest, _ name: String) throws {
        guard ArtifactFormat(manifest) == nil else { return }
        throw Failure(
            .unsupported,
            "\(name) is not a model: its configuration is of the unsupported type "
                + "\(manifest.config.mediaType.prefix(120)); supported are "
                + ArtifactFormat.supported.joined(separator: ", ") + " and models of Ollama's registry")
    }
}
