package import Core
package import NIOCore

/// A request to OpenAI's Responses API, as the chat completion that asks the same.
package struct ResponsesRequest: Sendable {
    package let model: String
    /// The response this one goes on from.
    package let previous: String?
    package let isStored: Bool
    private let isStream: Bool
    private let instructions: String?
    /// What this turn adds to the conversation: items as they were given, and as messages.
    private let items: [JSON]
    private let messages: [JSON]
    private let settings: JSON.Object
    private let contract: AnswerContract?
    /// Members of the response that only repeat the request.
    private let echo: JSON.Object
    private let wishes: RunnerWishes

    /// - Throws: `.invalidArgument` for what is malformed, and for what is not supported, by name.
    package init(_ body: ByteBuffer) throws {
        let json: JSON
        do { json = try JSON(parsing: body) } catch {
            throw Failure(.invalidArgument, "invalid request", cause: error)
        }
        let fields = try Fields(json)
        try Self.refuseWhatIsNotSupported(fields)
        model = try fields.model()
        previous = try fields.text("previous_response_id")
        isStored = try fields.flag("store") ?? true
        isStream = try fields.flag("stream") ?? false
        instructions = try fields.text("instructions")
        items = try ResponsesItems.items(fields)
        messages = try ResponsesItems.messages(items)
        var settings = JSON.Object()
        try Self.putSettings(of: fields, into: &settings)
        contract = try AnswerContract(format: settings["response_format"], tools: settings["tools"])
        self.settings = settings
        echo = try Self.echo(fields)
        wishes = RunnerWishes(keepAlive: fields["keep_alive"])
    }

    /// - Parameters:
    ///   - before: the conversation that `previous` ended.
    ///   - keep: is given the finished response, where it is to be stored.
    package func exchange(
        id: String, created: Int64, before: [JSON],
        keep: @escaping @Sendable (StoredResponse) -> Void
    ) throws -> Exchange {
        let conversation = before + messages
        guard !conversation.isEmpty else { throw Fields.wrong("input", "is empty") }
        let system: [JSON] = instructions.map { [["role": "system", "content": .string($0)]] } ?? []
        var body = JSON.Object([("model", .string(model)), ("messages", .array(system + conversation))])
        for (name, value) in settings.members { body[name] = value }
        if isStream {
            body["stream"] = true
            body["stream_options"] = ["include_usage": true]
        }
        var head = JSON.Object([
            ("id", .string(id)), ("object", "response"), ("created_at", .int(created)), ("model", .string(model)),
        ])
        for (name, value) in echo.members { head[name] = value }
        let items = items
        let answer = ResponsesAnswer(head: head, contract: contract) { response, output in
            keep(StoredResponse(id: id, response: response, items: items, conversation: conversation + output))
        }
        return Exchange(
            model: model, operation: .chat, body: JSON.object(body).bytes, translation: answer, wishes: wishes)
    }

    private static func refuseWhatIsNotSupported(_ fields: Fields) throws {
        if try fields.flag("background") == true { throw Fields.wrong("background", "is not supported") }
        for name in ["conversation", "prompt", "context_management", "moderation"] where fields[name] != nil {
            throw Fields.wrong(name, "is not supported")
        }
        if let truncation = try fields.text("truncation"), truncation != "disabled" {
            throw Fields.wrong("truncation", "must be disabled: nothing is cut silently here")
        }
        if let include = try fields.texts("include"),
            let unknown = include.first(where: { $0 != "reasoning.encrypted_content" })
        {
            throw Fields.wrong("include", "cannot have \(JSON.quoted(String(unknown.prefix(60))))")
        }
        if let count = try fields.count("top_logprobs"), count > 0 {
            throw Fields.wrong("top_logprobs", "is not supported: chat/completions has logprobs")
        }
    }

    private static func putSettings(of fields: Fields, into chat: inout JSON.Object) throws {
        for (name, engines) in [("temperature", "temperature"), ("top_p", "top_p")] {
            guard let value = fields[name] else { continue }
            guard value.double != nil else { throw Fields.wrong(name, "must be a number") }
            chat[engines] = value
        }
        if let limit = try fields.count("max_output_tokens", atLeast: 1) { chat["max_tokens"] = .int(limit) }
        if let tools = try fields.list("tools"), !tools.isEmpty {
            chat["tools"] = .array(try tools.enumerated().map { try tool($1, at: "tools[\($0)]") })
        }
        if let choice = fields["tool_choice"] { chat["tool_choice"] = try toolChoice(choice) }
        if let isParallel = try fields.flag("parallel_tool_calls") { chat["parallel_tool_calls"] = .bool(isParallel) }
        if let effort = try fields.fields("reasoning")?.text("effort") {
            chat["reasoning_effort"] = .string(effort)
            chat["chat_template_kwargs"] = [
                "enable_thinking": .bool(effort != "none"), "reasoning_effort": .string(effort),
            ]
        }
        if let format = try fields.fields("text")?.fields("format") {
            switch try format.text("type") {
            case nil, "text": break
            case "json_object": chat["response_format"] = ["type": "json_object"]
            case "json_schema":
                var description = format.object
                description["type"] = nil
                chat["response_format"] = ["type": "json_schema", "json_schema": .object(description)]
            default: throw Fields.wrong(format.path("type"), "must be text, json_object or json_schema")
            }
        }
        // What engines have beyond OpenAI's settings passes as it is.
        for (name, value) in fields.object.members where !known.contains(name) { chat[name] = value }
    }

    private static let known: Set<String> = [
        "model", "input", "instructions", "previous_response_id", "store", "stream", "stream_options", "temperature",
        "top_p", "max_output_tokens", "tools", "tool_choice", "parallel_tool_calls", "reasoning", "text", "metadata",
        "user", "truncation", "include", "background", "top_logprobs", "service_tier", "safety_identifier",
        "prompt_cache_key", "prompt_cache_retention", "max_tool_calls", "conversation", "prompt", "keep_alive",
        "context_management", "moderation", "prompt_cache_options",
    ]

    private static func tool(_ json: JSON, at path: String) throws -> JSON {
        let tool = try Fields(json, at: path)
        let type = try tool.required("type", tool.text("type"))
        guard type == "function" else {
            throw Fields.wrong(tool.path("type"), "must be function, not \(JSON.quoted(String(type.prefix(60))))")
        }
        var function = JSON.Object([("name", .string(try tool.required("name", tool.text("name"))))])
        if let description = try tool.text("description") { function["description"] = .string(description) }
        function["parameters"] = .object(try tool.fields("parameters")?.object ?? JSON.Object([("type", "object")]))
        if let isStrict = try tool.flag("strict") { function["strict"] = .bool(isStrict) }
        return ["type": "function", "function": .object(function)]
    }

    private static func toolChoice(_ json: JSON) throws -> JSON {
        if let text = json.string, ["auto", "none", "required"].contains(text) { return json }
        if json["type"] == "function", let name = json["name"]?.string {
            return ["type": "function", "function": ["name": .string(name)]]
        }
        throw Fields.wrong("tool_choice", "must be auto, none, required or a function")
    }

    private static func echo(_ fields: Fields) throws -> JSON.Object {
        var echo = JSON.Object()
        for (name, standard) in [
            ("instructions", JSON.null), ("max_output_tokens", .null), ("parallel_tool_calls", true),
            ("previous_response_id", .null), ("reasoning", ["effort": nil, "summary": nil]), ("store", true),
            ("temperature", 1), ("text", ["format": ["type": "text"]]), ("tool_choice", "auto"), ("tools", []),
            ("top_p", 1), ("truncation", "disabled"), ("user", .null), ("metadata", [:]), ("background", false),
        ] as [(String, JSON)] {
            echo[name] = fields[name] ?? standard
        }
        return echo
    }
}

/// A finished response with what is needed to go on from it.
package struct StoredResponse: Sendable {
    package let id: String
    package let response: JSON
    /// The request's input.
    package let items: [JSON]
    /// All that was said until then, users' turns included, without instructions.
    package let conversation: [JSON]

    /// Roughly what it takes of memory.
    package var size: Int {
        // Texts are what grows.
        response.text.utf8.count + items.reduce(0) { $0 + $1.text.utf8.count }
            + conversation.reduce(0) { $0 + $1.text.utf8.count }
    }
}
