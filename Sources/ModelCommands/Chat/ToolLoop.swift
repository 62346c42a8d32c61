internal import Commands
internal import Core
internal import Gateway
internal import MCP
internal import Terminal

/// The loop of a model with tools: it asks for calls, the gateway makes them, the results go back, until it answers.
struct ToolLoop: Sendable {
    /// Rounds of calls for one question; a model that never stops calling is stopped.
    static let maximumRounds = 10
    /// Bytes of a tool's text that are given to the model.
    static let maximumResult = 256 << 10

    let gateway: Gateway
    let console: Console

    /// The gateway's tools in OpenAI's shape.
    static func functions(_ surface: Surface) throws -> [JSON] {
        try surface.tools.map { tool in
            let definition = try tool.definition.parsed()
            return [
                "type": "function",
                "function": [
                    "name": .string(tool.name), "description": .string(definition["description"]?.string ?? ""),
                    "parameters": definition["inputSchema"] ?? ["type": "object", "properties": [:]],
                ],
            ]
        }
    }

    func run(_ session: inout ChatSession) async throws {
        for _ in 0..<Self.maximumRounds {
            let stream = try await session.reply()
            if stream.toolCalls.isEmpty { return }
            for call in stream.toolCalls { session.answer(call, with: await make(call)) }
        }
        throw Failure(.resourceExhausted, "the model called tools \(Self.maximumRounds) times without answering")
    }

    /// Makes one call; what goes wrong is told to the model, which may do better.
    private func make(_ call: ToolCall) async -> String {
        let err = console.err
        err.print(err.styled(Self.line("[tool] calling \(call.name) \(call.arguments)"), .cyan))
        let start = ContinuousClock.now
        var text: String
        do {
            let arguments = try RawJSON(JSON(parsing: call.arguments.isEmpty ? "{}" : call.arguments))
            let params = RawJSON(["name": .string(call.name)]).replacing("arguments", with: arguments)
            let result = ToolResult(try await gateway.call(call.name, params: params))
            text = result.isError ? "Error: \(result.text)" : result.text
        } catch {
            text = "Error: \(Failure.text(of: error))"
        }
        let took = (ContinuousClock.now - start).milliseconds
        err.print(err.styled(Self.line("[tool] \(call.name) answered in \(took) ms: \(Self.brief(text))"), .cyan))
        if text.utf8.count > Self.maximumResult {
            text = String(decoding: text.utf8.prefix(Self.maximumResult), as: UTF8.self) + " [cut]"
        }
        return text
    }

    private static func brief(_ text: String) -> String { text.count > 200 ? text.prefix(200) + "…" : text }

    /// What the model or a server wrote must not look like a line of ours.
    private static func line(_ text: String) -> String { text.printable.replacing("\n", with: "⏎") }
}
