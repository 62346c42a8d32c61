internal import Core

/// Ollama's conversation as OpenAI's.
enum OllamaMessages {
    static func chat(_ messages: [JSON]) throws -> [JSON] {
        var chat: [JSON] = []
        // Ollama's calls have no ids, its answers to them only an order and perhaps a name.
        var open: [(id: String, name: String)] = []
        var count = 0
        for (index, json) in messages.enumerated() {
            let message = try Fields(json, at: "messages[\(index)]")
            let role = try message.required("role", message.text("role"))
            let text = try message.text("content") ?? ""
            switch role {
            case "system": chat.append(["role": "system", "content": .string(text)])
            case "user": chat.append(["role": "user", "content": try content(text, images: message)])
            case "assistant":
                var entry = JSON.Object([("role", "assistant"), ("content", .string(text))])
                if let thoughts = try message.text("thinking"), !thoughts.isEmpty {
                    entry["reasoning_content"] = .string(thoughts)
                }
                let calls = try (message.list("tool_calls") ?? []).enumerated().map { place, json -> JSON in
                    let path = message.path("tool_calls[\(place)]")
                    let call = try Fields(json, at: path)
                    let function = try call.required("function", call.fields("function"))
                    let name = try function.required("name", function.text("name"))
                    let id = try call.text("id") ?? "call_\(count)"
                    count += 1
                    open.append((id, name))
                    let arguments = function["arguments"] ?? [:]
                    return [
                        "id": .string(id), "type": "function",
                        "function": ["name": .string(name), "arguments": .string(arguments.string ?? arguments.text)],
                    ]
                }
                if !calls.isEmpty { entry["tool_calls"] = .array(calls) }
                chat.append(.object(entry))
            case "tool":
                let name = try message.text("tool_name") ?? message.text("name")
                let place = open.firstIndex { name == nil || $0.name == name } ?? open.indices.first
                let id = try message.text("tool_call_id") ?? place.map { open[$0].id } ?? "call_\(index)"
                open.removeAll { $0.id == id }
                chat.append(["role": "tool", "tool_call_id": .string(id), "content": .string(text)])
            default: throw Fields.wrong(message.path("role"), "must be system, user, assistant or tool")
            }
        }
        return chat
    }

    /// - Parameter images: what has a member `images`, pictures in base64.
    static func content(_ text: String, images fields: Fields) throws -> JSON {
        guard let images = try fields.texts("images"), !images.isEmpty else { return .string(text) }
        let parts: [JSON] = try images.enumerated().map { index, data in
            let path = fields.path("images[\(index)]")
            return ["type": "image_url", "image_url": ["url": .string(try dataURL(data, path))]]
        }
        return .array(parts + (text.isEmpty ? [] : [["type": "text", "text": .string(text)]]))
    }

    private static let kinds = [
        ("iVBORw0KGgo", "png"), ("/9j/", "jpeg"), ("UklGR", "webp"), ("R0lGOD", "gif"), ("Qk", "bmp"),
    ]

    private static func dataURL(_ data: String, _ path: String) throws -> String {
        if data.hasPrefix("data:image/") { return data }
        guard let kind = kinds.first(where: { data.hasPrefix($0.0) })?.1 else {
            throw Fields.wrong(path, "is no picture in base64 (PNG, JPEG, WebP, GIF or BMP)")
        }
        return "data:image/\(kind);base64,\(data)"
    }
}
