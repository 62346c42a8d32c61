internal import Core

/// A call of a tool that a model asks for.
struct ToolCall: Sendable, Equatable {
    var id: String
    var name: String
    /// The arguments as JSON text, as the model wrote them.
    var arguments: String
}

/// Puts a streamed chat completion together from its events. A value: events in, text and tool calls out.
struct ChatStream: Sendable {
    /// Tool calls of one answer that are accepted.
    static let maximumToolCalls = 64

    struct Piece: Sendable, Equatable {
        var reasoning = ""
        var content = ""
    }

    private(set) var content = ""
    private(set) var toolCalls: [ToolCall] = []
    private(set) var finishReason: String?
    private(set) var usage: JSON?
    private(set) var isDone = false

    /// - Returns: what is new to show.
    /// - Throws: the error the stream carries, or `.corrupted` for something that is no chat completion.
    mutating func take(_ event: SSE.Event) throws -> Piece {
        guard event.data != "[DONE]" else {
            isDone = true
            return Piece()
        }
        let json: JSON
        do { json = try JSON(parsing: event.data) } catch {
            throw Failure(.corrupted, "the runner's stream holds something that is no JSON", cause: error)
        }
        if let error = json["error"] {
            throw Failure(.internalError, error["message"]?.string ?? error.string ?? "the runner reports an error")
        }
        if let usage = json["usage"], !usage.isNull { self.usage = usage }
        guard let choice = json["choices"]?.array?.first else { return Piece() }
        if let reason = choice["finish_reason"]?.string { finishReason = reason }
        let delta = choice["delta"] ?? choice["message"] ?? .null
        for call in delta["tool_calls"]?.array ?? [] { try take(call) }
        let piece = Piece(
            reasoning: delta["reasoning_content"]?.string ?? "", content: delta["content"]?.string ?? "")
        content += piece.content
        return piece
    }

    /// Pieces of one call carry the same index; its name comes first, its arguments bit by bit.
    private mutating func take(_ call: JSON) throws {
        let index = call["index"]?.int ?? toolCalls.count
        guard index >= 0, index <= toolCalls.count, index < Self.maximumToolCalls else {
            throw Failure(.corrupted, "the model's tool calls are numbered wrongly")
        }
        if index == toolCalls.count { toolCalls.append(ToolCall(id: "", name: "", arguments: "")) }
        if let id = call["id"]?.string, !id.isEmpty { toolCalls[index].id = id }
        toolCalls[index].name += call["function"]?["name"]?.string ?? ""
        toolCalls[index].arguments += call["function"]?["arguments"]?.string ?? ""
    }

    /// The answer as the message that goes into the next request.
    var message: JSON {
        var object = JSON.Object([("role", "assistant"), ("content", .string(content))])
        if !toolCalls.isEmpty {
            object["tool_calls"] = .array(
                toolCalls.map { call in
                    [
                        "id": .string(call.id), "type": "function",
                        "function": ["name": .string(call.name), "arguments": .string(call.arguments)],
                    ]
                })
        }
        return .object(object)
    }
}
