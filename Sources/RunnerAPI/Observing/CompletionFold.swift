internal import Core
internal import NIOCore

/// A streamed chat completion as the whole answer it would have been.
enum CompletionFold {
    /// nil for what is no such stream.
    static func fold(_ bytes: ByteBuffer) -> String? {
        guard bytes.readableBytes > 0, bytes.getString(at: bytes.readerIndex, length: min(5, bytes.readableBytes)) == "data:"
        else { return nil }
        var parser = SSE.Parser()
        guard let events = try? parser.append(bytes) else { return nil }
        var choices: [Int: Choice] = [:]
        var head = JSON.Object()
        var usage: JSON?
        for event in events where event.data != "[DONE]" {
            guard let chunk = try? JSON(parsing: event.data), chunk["object"]?.string == "chat.completion.chunk" else {
                return nil
            }
            for name in ["id", "created", "model"] where head[name] == nil { head[name] = chunk[name] }
            if let given = chunk["usage"], !given.isNull { usage = given }
            for choice in chunk["choices"]?.array ?? [] {
                choices[choice["index"]?.int ?? 0, default: Choice()].take(choice)
            }
        }
        guard !choices.isEmpty else { return nil }
        var object = head
        object["object"] = "chat.completion"
        object["choices"] = .array(choices.sorted { $0.key < $1.key }.map { $1.json(index: $0) })
        if let usage { object["usage"] = usage }
        return JSON.object(object).text
    }

    private struct Choice {
        var role = "assistant"
        var content = ""
        var reasoning = ""
        var calls: [Int: Call] = [:]
        var reason: JSON = nil

        struct Call {
            var id = ""
            var name = ""
            var arguments = ""
        }

        mutating func take(_ choice: JSON) {
            if let given = choice["finish_reason"], !given.isNull { reason = given }
            guard let delta = choice["delta"] else { return }
            if let given = delta["role"]?.string { role = given }
            content += delta["content"]?.string ?? ""
            reasoning += delta["reasoning_content"]?.string ?? ""
            for call in delta["tool_calls"]?.array ?? [] {
                let place = call["index"]?.int ?? 0
                if let id = call["id"]?.string { calls[place, default: Call()].id = id }
                calls[place, default: Call()].name += call["function"]?["name"]?.string ?? ""
                calls[place, default: Call()].arguments += call["function"]?["arguments"]?.string ?? ""
            }
        }

        func json(index: Int) -> JSON {
            var message = JSON.Object([("role", .string(role)), ("content", .string(content))])
            if !reasoning.isEmpty { message["reasoning_content"] = .string(reasoning) }
            if !calls.isEmpty {
                message["tool_calls"] = .array(
                    calls.sorted { $0.key < $1.key }.map { _, call in
                        [
                            "id": .string(call.id), "type": "function",
                            "function": ["name": .string(call.name), "arguments": .string(call.arguments)],
                        ]
                    })
            }
            return ["index": .int(index), "message": .object(message), "finish_reason": reason]
        }
    }
}
