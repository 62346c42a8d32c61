internal import Core
internal import ModelStore
internal import NIOCore

/// What a model brings along for requests that do not say it themselves: its system prompt, the conversation it begins
/// with, and the texts that end its answers.
///
/// The request's own bytes are spliced, never decoded and encoded again.
struct RequestDefaults {
    private let system: String?
    private let messages: [Customization.Message]
    private let stop: [String]

    init(_ customization: Customization) {
        system = customization.system
        messages = customization.messages
        stop = customization.parameters.stop
    }

    /// - Parameters:
    ///   - body: a JSON object.
    ///   - path: the engine's route; only what is asked for text is changed.
    func apply(to body: ByteBuffer, path: String) throws -> ByteBuffer {
        let isChat = path == "/v1/chat/completions"
        guard isChat || path == "/v1/completions", system != nil || !messages.isEmpty || !stop.isEmpty else {
            return body
        }
        var json = try RawJSON(checking: body)
        if isChat, let given = json["messages"], given.isArray {
            json = json.replacing("messages", with: try begin(given))
        }
        if !stop.isEmpty, json["stop"].map({ $0.text == "null" }) ?? true {
            json = json.replacing("stop", with: RawJSON(.array(stop.map { .string($0) })))
        }
        return json.buffer
    }

    /// The conversation with what comes before it. A system prompt of the request's own stays the only one, and first.
    private func begin(_ given: RawJSON) throws -> RawJSON {
        let elements = try given.elements()
        let hasSystem = elements.contains(where: Self.isInstruction)
        var own: [RawJSON] = []
        if let system, !hasSystem { own.append(RawJSON(["role": "system", "content": .string(system)])) }
        let leading = elements.prefix(while: Self.isInstruction)
        // A second system message would contradict the request's own.
        own += messages.filter { !hasSystem || $0.role != "system" }.map { RawJSON($0.json) }
        var bytes = ByteBuffer()
        bytes.writeString("[")
        for (place, element) in (leading + own + elements.dropFirst(leading.count)).enumerated() {
            if place > 0 { bytes.writeString(",") }
            bytes.writeImmutableBuffer(element.buffer)
        }
        bytes.writeString("]")
        return try RawJSON(checking: bytes)
    }

    private static func isInstruction(_ message: RawJSON) -> Bool {
        let role = message.isObject ? (try? message["role"]?.parsed())?.string : nil
        return role == "system" || role == "developer"
    }
}
