internal import Core

/// The items of a Responses conversation, and the messages they are to an engine.
enum ResponsesItems {
    static let maximumItems = 10_000

    /// The input as a list of items.
    static func items(_ request: Fields) throws -> [JSON] {
        switch request["input"] {
        case nil: return []
        case .string(let text): return [["type": "message", "role": "user", "content": .string(text)]]
        case .array(let items):
            guard items.count <= maximumItems else {
                throw Fields.wrong("input", "has more than \(maximumItems) items")
            }
            return items
        default: throw Fields.wrong("input", "must be a string or a list of items")
        }
    }

    static func messages(_ items: [JSON]) throws -> [JSON] {
        var messages: [JSON] = []
        var thoughts = ""
        for (index, json) in items.enumerated() {
            let item = try Fields(json, at: "input[\(index)]")
            switch try item.text("type") ?? "message" {
            case "message": messages.append(try message(item, &thoughts))
            case "function_call":
                let call: JSON = [
                    "id": .string(try item.required("call_id", item.text("call_id"))), "type": "function",
                    "function": [
                        "name": .string(try item.required("name", item.text("name"))),
                        "arguments": .string(try item.required("arguments", item.text("arguments"))),
                    ],
                ]
                append(call: call, &thoughts, to: &messages)
            case "function_call_output":
                let output = try item.required("output", item["output"])
                messages.append([
                    "role": "tool", "tool_call_id": .string(try item.required("call_id", item.text("call_id"))),
                    "content": try content(output, at: item.path("output"), isOutput: false),
                ])
            case "reasoning":
                let parts = try item.list("content") ?? item.list("summary") ?? []
                thoughts += parts.compactMap { $0["text"]?.string }.joined(separator: "\n")
            case let type:
                throw Fields.wrong(item.path("type"), "\(JSON.quoted(String(type.prefix(60)))) is not supported")
            }
        }
        return messages
    }

    /// Calls of one turn belong into one message.
    private static func append(call: JSON, _ thoughts: inout String, to messages: inout [JSON]) {
        var message = JSON.Object([("role", "assistant"), ("content", "")])
        if let last = messages.last?.object, last["role"] == "assistant" {
            message = last
            messages.removeLast()
        }
        if !thoughts.isEmpty { message["reasoning_content"] = .string(thoughts) }
        thoughts = ""
        message["tool_calls"] = .array((message["tool_calls"]?.array ?? []) + [call])
        messages.append(.object(message))
    }

    private static func message(_ item: Fields, _ thoughts: inout String) throws -> JSON {
        let role = try item.required("role", item.text("role"))
        guard ["user", "assistant", "system", "developer"].contains(role) else {
            throw Fields.wrong(item.path("role"), "must be user, assistant, system or developer")
        }
        let given = try item.required("content", item["content"])
        var message = JSON.Object([
            ("role", .string(role == "developer" ? "system" : role)),
            ("content", try content(given, at: item.path("content"), isOutput: role == "assistant")),
        ])
        if role == "assistant", !thoughts.isEmpty { message["reasoning_content"] = .string(thoughts) }
        thoughts = ""
        return .object(message)
    }

    private static func content(_ json: JSON, at path: String, isOutput: Bool) throws -> JSON {
        if json.string != nil { return json }
        guard let list = json.array else { throw Fields.wrong(path, "must be a string or a list of parts") }
        var texts: [String] = []
        let parts = try list.enumerated().map { index, json -> JSON in
            let part = try Fields(json, at: "\(path)[\(index)]")
            switch try part.required("type", part.text("type")) {
            case "input_text", "output_text", "text", "summary_text":
                let text = try part.required("text", part.text("text"))
                texts.append(text)
                return ["type": "text", "text": .string(text)]
            case "refusal" where isOutput:
                let text = try part.required("refusal", part.text("refusal"))
                texts.append(text)
                return ["type": "text", "text": .string(text)]
            case "input_image":
                guard let url = try part.text("image_url"), url.hasPrefix("data:") else {
                    throw Fields.wrong(part.path("image_url"), "must be a data: URL, nothing is fetched from elsewhere")
                }
                return ["type": "image_url", "image_url": ["url": .string(url)]]
            case let type:
                throw Fields.wrong(part.path("type"), "\(JSON.quoted(String(type.prefix(60)))) is not supported")
            }
        }
        // Texts alone become one text, which every template understands.
        return texts.count == parts.count ? .string(texts.joined(separator: isOutput ? "" : "\n")) : .array(parts)
    }
}
