package import Core
package import NIOCore
internal import OCI

/// What a model brings along besides its files: how it wants to be spoken to, and what of that is not carried out.
package struct Customization: Hashable, Sendable {
    /// One thing said before the conversation begins.
    package struct Message: Hashable, Sendable {
        package let role: String
        package let content: String

        package init(role: String, content: String) {
            self.role = role
            self.content = content
        }

        package var json: JSON { ["role": .string(role), "content": .string(content)] }
    }

    /// What the model is told before every conversation.
    package var system: String?
    package var parameters = ModelParameters()
    /// An example of a conversation that precedes every other.
    package var messages: [Message] = []
    /// Whether there is a template in Go's language, which is kept but not executed.
    package var hasGoTemplate = false
    /// LoRA adapters that are put on the weights.
    package var adapters = 0

    static let maximumText = 1 << 20
    static let maximumMessages = 256
    static let roles: Set<String> = ["system", "user", "assistant"]

    package init() {}

    /// Reads the small layers of a stored model.
    ///
    /// - Throws: `.corrupted` or `.resourceExhausted` for layers that are no such thing; what `BlobStore.read` throws.
    init(_ manifest: Manifest, in blobs: BlobStore) throws {
        for layer in manifest.layers {
            switch layer.kind {
            case .system: system = try Self.text(layer, in: blobs)
            case .parameters: parameters = try ModelParameters(parsing: Self.bytes(layer, in: blobs))
            case .messages: messages = try Self.messages(Self.bytes(layer, in: blobs))
            case .goTemplate: hasGoTemplate = true
            case .adapter: adapters += 1
            default: break
            }
        }
        if system?.allSatisfy(\.isWhitespace) == true { system = nil }
    }

    private static func bytes(_ layer: Descriptor, in blobs: BlobStore) throws -> ByteBuffer {
        try blobs.read(layer.digest, limit: maximumText)
    }

    private static func text(_ layer: Descriptor, in blobs: BlobStore) throws -> String {
        let bytes = try bytes(layer, in: blobs)
        guard let text = String(validating: bytes.readableBytesView, as: UTF8.self) else {
            throw Failure(.corrupted, "the model's system prompt is not UTF-8")
        }
        return text
    }

    /// - Throws: `.corrupted` for anything but a short list of messages.
    package static func messages(_ bytes: ByteBuffer) throws -> [Message] {
        guard let list = (try? JSON(parsing: bytes))?.array, list.count <= maximumMessages else {
            throw Failure(.corrupted, "the model's messages are not a list of up to \(maximumMessages)")
        }
        return try list.map { message in
            guard let role = message["role"]?.string, roles.contains(role), let content = message["content"]?.string
            else { throw Failure(.corrupted, "one of the model's messages has no known role, or no content") }
            return Message(role: role, content: content)
        }
    }

    /// What a person should know, one sentence each.
    package var notes: [String] {
        var notes: [String] = []
        if hasGoTemplate {
            notes.append(
                "The template is in Go's language and not executed; the GGUF file's own chat template is used.")
        }
        let ignored = parameters.ignored.map { $0.prefix(60) }
        if !ignored.isEmpty {
            notes.append("Parameters that are kept but not used: \(ignored.joined(separator: ", ")).")
        }
        return notes
    }

    /// For `inspect`; nil where there is nothing to say.
    package var json: JSON? {
        var object = JSON.Object()
        if let system { object["system"] = .string(system) }
        if !parameters.isEmpty { object["parameters"] = parameters.json }
        if !messages.isEmpty { object["messages"] = .array(messages.map(\.json)) }
        if adapters > 0 { object["adapters"] = .int(adapters) }
        if hasGoTemplate { object["template"] = "go (not executed)" }
        if !notes.isEmpty { object["notes"] = .array(notes.map { .string($0) }) }
        return object.isEmpty ? nil : .object(object)
    }
}
