internal import Core
package import NIOCore

/// A request to Anthropic's messages API, as the chat completion that asks the same.
package struct AnthropicRequest: Sendable {
    package let model: String
    let isStream: Bool
    /// The chat completion's request, without what only streams have.
    let chat: JSON.Object
    private let contract: AnswerContract?
    private let wishes: RunnerWishes

    /// - Parameter counting: whether only the prompt is to be measured, which needs no limit of tokens.
    /// - Throws: `.invalidArgument` for what is missing or malformed, and for what no engine here can do, by name.
    package init(_ body: ByteBuffer, counting: Bool = false) throws {
        let json: JSON
        do { json = try JSON(parsing: body) } catch {
            throw Failure(.invalidArgument, "invalid request", cause: error)
        }
        let fields = try Fields(json)
        model = try fields.model()
        isStream = try fields.flag("stream") ?? false
        var chat = JSON.Object([("model", .string(model))])
        chat["messages"] = .array(try AnthropicMessages.chat(fields))
        if !counting {
            chat["max_tokens"] = .int(try fields.required("max_tokens", fields.count("max_tokens", atLeast: 1)))
        }
        try Self.putTools(of: fields, into: &chat)
        try Self.putSettings(of: fields, into: &chat)
        contract = try AnswerContract(format: chat["response_format"], tools: chat["tools"])
        wishes = RunnerWishes(keepAlive: fields["keep_alive"])
        self.chat = chat
    }

    package func exchange(id: String) -> Exchange {
        var body = chat
        if isStream {
            body["stream"] = true
            body["stream_options"] = ["include_usage": true]
            // How long the prompt is stands at the beginning of Anthropic's streams.
            body["return_progress"] = true
        }
        return Exchange(
            model: model, operation: .chat, body: JSON.object(body).bytes,
            translation: AnthropicAnswer(id: id, model: model, contract: contract), wishes: wishes)
    }

    /// What llama.cpp's `/apply-template` wants to know to lay the prompt out.
    package var templateRequest: ByteBuffer {
        let names: Set<String> = ["messages", "tools", "tool_choice", "chat_template_kwargs"]
        return JSON.object(JSON.Object(chat.members.filter { names.contains($0.name) }.map { ($0.name, $0.value) }))
            .bytes
    }

    private static func putTools(of fields: Fields, into chat: inout JSON.Object) throws {
        if let tools = try fields.list("tools"), !tools.isEmpty {
            chat["tools"] = .array(try tools.enumerated().map { try tool($1, at: fields.path("tools[\($0)]")) })
        }
        guard let choice = try fields.fields("tool_choice") else { return }
        switch try choice.required("type", choice.text("type")) {
        case "auto": chat["tool_choice"] = "auto"
        case "any": chat["tool_choice"] = "required"
        case "none": chat["tool_choice"] = "none"
        case "tool":
            let name = try choice.required("name", choice.text("name"))
            chat["tool_choice"] = ["type": "function", "function": ["name": .string(name)]]
        case let type: throw Fields.wrong(choice.path("type"), "cannot be \(JSON.quoted(String(type.prefix(40))))")
        }
        if try choice.flag("disable_parallel_tool_use") == true { chat["parallel_tool_calls"] = false }
    }

    private static func tool(_ json: JSON, at path: String) throws -> JSON {
        let tool = try Fields(json, at: path)
        let type = try tool.text("type") ?? "custom"
        guard type == "custom" else {
            throw Fields.wrong(
                tool.path("type"),
                "\(JSON.quoted(String(type.prefix(60)))) is a tool of Anthropic's servers, not of a model here")
        }
        let schema = try tool.required("input_schema", tool.fields("input_schema"))
        var function = JSON.Object([("name", .string(try tool.required("name", tool.text("name"))))])
        if let description = try tool.text("description") { function["description"] = .string(description) }
        function["parameters"] = .object(schema.object)
        if try tool.flag("strict") == true { function["strict"] = true }
        return ["type": "function", "function": .object(function)]
    }

    /// Members with a meaning of their own here, or with none for a model on this machine.
    private static let known: Set<String> = [
        "model", "messages", "system", "max_tokens", "stream", "tools", "tool_choice", "stop_sequences", "thinking",
        "output_config", "output_format", "metadata", "service_tier", "cache_control", "keep_alive",
        "context_management", "inference_geo", "speed",
    ]

    private static func putSettings(of fields: Fields, into chat: inout JSON.Object) throws {
        for name in ["mcp_servers", "container"] where fields[name] != nil && fields[name] != [] {
            throw Failure(.invalidArgument, "\(name) is not supported here", advice: "Leave it out")
        }
        if let words = try fields.texts("stop_sequences"), !words.isEmpty {
            chat["stop"] = .array(words.map { .string($0) })
            // llama.cpp tells which one it was only when it is asked.
            chat["verbose"] = true
            chat["response_fields"] = ["stopping_word"]
        }
        if let thinking = try fields.fields("thinking") {
            let isOn = try thinking.required("type", thinking.text("type")) != "disabled"
            chat["chat_template_kwargs"] = ["enable_thinking": .bool(isOn)]
            if let budget = try thinking.count("budget_tokens") { chat["thinking_budget_tokens"] = .int(budget) }
        }
        let output = try fields.fields("output_config")
        if let format = try output?.fields("format") ?? fields.fields("output_format") {
            guard try format.text("type") == "json_schema" else {
                throw Fields.wrong(format.path("type"), "must be json_schema")
            }
            let schema = try format.required("schema", format["schema"])
            chat["response_format"] = [
                "type": "json_schema", "json_schema": ["name": "answer", "strict": true, "schema": schema],
            ]
        }
        // Settings that engines have beyond Anthropic's pass as they are.
        for (name, value) in fields.object.members
        where !known.contains(name) && name != "mcp_servers" && name != "container" {
            chat[name] = value
        }
    }
}
