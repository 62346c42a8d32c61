internal import Core

/// Anthropic's conversation as OpenAI's: blocks become parts, and results of tools messages of their own.
enum AnthropicMessages {
    static func chat(_ request: Fields) throws -> [JSON] {
        let messages = try request.required("messages", request.list("messages"))
        guard !messages.isEmpty else { throw Fields.wrong("messages", "is empty: there must be at least one message") }
        let system = try request["system"].map { try text($0, at: "system") } ?? ""
        var chat: [JSON] = system.isEmpty ? [] : [["role": "system", "content": .string(system)]]
        for (index, json) in messages.enumerated() {
            let message = try Fields(json, at: "messages[\(index)]")
            let role = try message.required("role", message.text("role"))
            let content = try message.required("content", message["content"])
            let path = message.path("content")
            switch role {
            case "user": chat += try user(content, at: path)
            case "assistant": chat.append(try assistant(content, at: path))
            case "system": chat.append(["role": "system", "content": .string(try text(content, at: path))])
            default: throw Fields.wrong(message.path("role"), "must be user or assistant")
            }
        }
        return chat
    }

    /// A text, or blocks of texts.
    private static func text(_ json: JSON, at path: String) throws -> String {
        if let text = json.string { return text }
        return try blocks(json, at: path).map { block in
            guard try block.text("type") == "text" else { throw Fields.wrong(block.path("type"), "must be text here") }
            return try block.required("text", block.text("text"))
        }.joined(separator: "\n")
    }

    private static func blocks(_ json: JSON, at path: String) throws -> [Fields] {
        guard let list = json.array else { throw Fields.wrong(path, "must be a string or a list of blocks") }
        return try list.enumerated().map { try Fields($1, at: "\(path)[\($0)]") }
    }

    private static func unknown(_ block: Fields, _ type: String) -> Failure {
        Fields.wrong(block.path("type"), "\(JSON.quoted(String(type.prefix(60)))) is not supported here")
    }

    private static func user(_ content: JSON, at path: String) throws -> [JSON] {
        if let text = content.string { return [["role": "user", "content": .string(text)]] }
        var results: [JSON] = []
        var parts: [JSON] = []
        for block in try blocks(content, at: path) {
            switch try block.required("type", block.text("type")) {
            case "tool_result": results.append(try result(block))
            case let type: parts.append(try part(block, type))
            }
        }
        // Results belong right behind the calls they answer.
        guard !parts.isEmpty || results.isEmpty else { return results }
        return results + [["role": "user", "content": joined(parts)]]
    }

    private static let pictures = ["image/jpeg", "image/png", "image/gif", "image/webp"]

    private static func part(_ block: Fields, _ type: String) throws -> JSON {
        switch type {
        case "text": return ["type": "text", "text": .string(try block.required("text", block.text("text")))]
        case "image":
            let source = try block.required("source", block.fields("source"))
            guard try source.text("type") == "base64" else {
                throw Fields.wrong(source.path("type"), "must be base64: nothing is fetched from elsewhere")
            }
            let kind = try source.required("media_type", source.text("media_type"))
            guard pictures.contains(kind) else {
                throw Fields.wrong(source.path("media_type"), "must be one of \(pictures.joined(separator: ", "))")
            }
            let data = try source.required("data", source.text("data"))
            return ["type": "image_url", "image_url": ["url": .string("data:\(kind);base64,\(data)")]]
        default: throw unknown(block, type)
        }
    }

    /// Texts alone become one text, which every template understands.
    private static func joined(_ parts: [JSON]) -> JSON {
        let texts = parts.compactMap { $0["type"] == "text" ? $0["text"]?.string : nil }
        return texts.count == parts.count ? .string(texts.joined(separator: "\n")) : .array(parts)
    }

    private static func result(_ block: Fields) throws -> JSON {
        let id = try block.required("tool_use_id", block.text("tool_use_id"))
        var content: JSON = ""
        if let given = block["content"] {
            if let text = given.string {
                content = .string(text)
            } else {
                let parts = try blocks(given, at: block.path("content"))
                content = joined(try parts.map { try part($0, $0.required("type", $0.text("type"))) })
            }
        }
        if try block.flag("is_error") == true, let text = content.string { content = .string("Error: \(text)") }
        return ["role": "tool", "tool_call_id": .string(id), "content": content]
    }

    private static func assistant(_ content: JSON, at path: String) throws -> JSON {
        if let text = content.string { return ["role": "assistant", "content": .string(text)] }
        var texts: [String] = []
        var thoughts: [String] = []
        var calls: [JSON] = []
        for block in try blocks(content, at: path) {
            switch try block.required("type", block.text("type")) {
            case "text": texts.append(try block.required("text", block.text("text")))
            case "thinking": thoughts.append(try block.text("thinking") ?? "")
            // Readable for Anthropic's servers only.
            case "redacted_thinking": break
            case "tool_use":
                let name = try block.required("name", block.text("name"))
                let input = try block.fields("input")?.object ?? JSON.Object()
                calls.append([
                    "id": .string(try block.required("id", block.text("id"))), "type": "function",
                    "function": ["name": .string(name), "arguments": .string(JSON.object(input).text)],
                ])
            case let type: throw unknown(block, type)
            }
        }
        var message = JSON.Object([("role", "assistant"), ("content", .string(texts.joined(separator: "\n")))])
        if !thoughts.isEmpty { message["reasoning_content"] = .string(thoughts.joined(separator: "\n")) }
        if !calls.isEmpty { message["tool_calls"] = .array(calls) }
        return .object(message)
    }
}
