internal import Core
internal import NIOCore
internal import OCI

/// What a model's layers say in words, for people and for clients that show a model.
package struct ModelTexts: Sendable, Hashable {
    package var licences: [String] = []
    /// The Jinja template that engines execute: a layer of its own, or the GGUF file's.
    package var chatTemplate: String?
    /// Kept, and not executed.
    package var goTemplate: String?
    /// Whether a multimodal projector goes with the weights.
    package var hasProjector = false
}

extension ModelStore {
    /// Longer texts than this are left out.
    private static let maximumText = 4 << 20

    /// Reads a stored model's texts; those that are damaged are left out.
    package func texts(of model: Model) -> ModelTexts {
        var texts = ModelTexts()
        texts.chatTemplate = model.config.gguf["tokenizer.chat_template"]
        for layer in model.manifest.layers {
            switch layer.kind {
            case .license: if let text = text(of: layer) { texts.licences.append(text) }
            case .chatTemplate: texts.chatTemplate = text(of: layer) ?? texts.chatTemplate
            case .goTemplate: texts.goTemplate = text(of: layer)
            case .projector: texts.hasProjector = true
            default: break
            }
        }
        return texts
    }

    private func text(of layer: Descriptor) -> String? {
        guard let bytes = try? blobs.read(layer.digest, limit: Self.maximumText) else { return nil }
        return String(validating: bytes.readableBytesView, as: UTF8.self)
    }
}
