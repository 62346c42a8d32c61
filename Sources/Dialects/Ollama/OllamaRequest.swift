package import Core
package import NIOCore

/// A request to Ollama's `/api/chat` or `/api/generate`.
package struct OllamaRequest: Sendable {
    package enum Kind: Sendable {
        case chat
        case generate
    }

    package let model: String
    package let wishes: RunnerWishes
    /// A request that says nothing only wants its model loaded or unloaded.
    package let isEmpty: Bool
    package let kind: Kind
    private let isStream: Bool
    private let operation: Exchange.Operation
    private let body: JSON.Object
    private let contract: AnswerContract?

    /// - Throws: `.invalidArgument` for what is malformed, and for what no engine here can do, by name.
    package init(_ kind: Kind, _ bytes: ByteBuffer) throws {
        let request = try Self.fields(bytes)
        let settings = try OllamaSettings(request)
        self.kind = kind
        model = try request.model()
        wishes = settings.wishes
        isStream = try request.flag("stream") ?? true
        var body = JSON.Object([("model", .string(model))])
        var operation = Exchange.Operation.chat
        switch kind {
        case .chat:
            let messages = try request.list("messages") ?? []
            isEmpty = messages.isEmpty
            body["messages"] = .array(try OllamaMessages.chat(messages))
            if let tools = try request.list("tools"), !tools.isEmpty { body["tools"] = .array(tools) }
        case .generate:
            let prompt = try request.text("prompt") ?? ""
            isEmpty = try prompt.isEmpty && (request.list("images") ?? []).isEmpty
            try Self.refuseWhatGenerateCannot(request)
            if try request.flag("raw") == true {
                operation = .completion
                body["prompt"] = .string(prompt)
            } else {
                let system = try request.text("system") ?? ""
                let before: [JSON] = system.isEmpty ? [] : [["role": "system", "content": .string(system)]]
                let content = try OllamaMessages.content(prompt, images: request)
                body["messages"] = .array(before + [["role": "user", "content": content]])
            }
        }
        for (name, value) in settings.members { body[name] = value }
        if isStream {
            body["stream"] = true
            body["stream_options"] = ["include_usage": true]
        }
        contract = try AnswerContract(format: settings.format, tools: body["tools"])
        self.operation = operation
        self.body = body
    }

    static func fields(_ bytes: ByteBuffer) throws -> Fields {
        guard bytes.readableBytes > 0 else { throw Failure(.invalidArgument, "missing request body") }
        do { return try Fields(JSON(parsing: bytes)) } catch {
            throw Failure(.invalidArgument, "invalid request", cause: error)
        }
    }

    private static func refuseWhatGenerateCannot(_ request: Fields) throws {
        for name in ["suffix", "template"] {
            if let text = try request.text(name), !text.isEmpty {
                throw Fields.wrong(
                    name,
                    name == "suffix"
                        ? "is not supported: nothing is filled in between two texts here"
                        : "is not supported: models bring their own templates")
            }
        }
        if let context = try request.list("context"), !context.isEmpty {
            throw Fields.wrong("context", "is not supported: use /api/chat, which takes the whole conversation")
        }
    }

    package func exchange(clock: OllamaClock) -> Exchange {
        Exchange(
            model: model, operation: operation, body: JSON.object(body).bytes,
            translation: OllamaAnswer(kind, model: model, contract: contract, clock: clock), wishes: wishes)
    }

    /// What a request gets that only wanted its model loaded or unloaded.
    package func emptyAnswer(unloaded: Bool, clock: OllamaClock) -> JSON {
        var answer = OllamaAnswer.line(kind, model: model, clock: clock, text: "", done: true)
        answer["done_reason"] = unloaded ? "unload" : "load"
        return .object(answer)
    }

}

/// What a translation has to know of the time.
package struct OllamaClock: Sendable {
    /// RFC 3339.
    let now: @Sendable () -> String
    /// Since the request came.
    let elapsed: @Sendable () -> Duration

    package init(now: @escaping @Sendable () -> String, elapsed: @escaping @Sendable () -> Duration) {
        self.now = now
        self.elapsed = elapsed
    }
}
