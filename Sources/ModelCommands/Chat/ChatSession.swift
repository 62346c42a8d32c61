internal import AsyncHTTPClient
internal import Commands
internal import Core
internal import NIOHTTP1
internal import Terminal

/// A conversation with one model: asks, shows the answer as it comes, and keeps what was said.
struct ChatSession: Sendable {
    let client: RunnerClient
    let console: Console
    let model: String
    let temperature: Double?
    /// The tools the model may call, in OpenAI's shape.
    let tools: [JSON]
    private(set) var messages: [JSON] = []

    init(
        client: RunnerClient, console: Console, model: String, system: String?, temperature: Double?, tools: [JSON] = []
    ) {
        self.client = client
        self.console = console
        self.model = model
        self.temperature = temperature
        self.tools = tools
        if let system { messages.append(["role": "system", "content": .string(system)]) }
    }

    mutating func say(_ text: String) { messages.append(["role": "user", "content": .string(text)]) }

    mutating func answer(_ call: ToolCall, with result: String) {
        messages.append(["role": "tool", "tool_call_id": .string(call.id), "content": .string(result)])
    }

    /// One answer of the model, shown while it comes.
    mutating func reply() async throws -> ChatStream {
        var stream = ChatStream()
        var phase = Phase.silent
        do { try await read(&stream, &phase) } catch {
            // What is shown next, be it a shell's prompt after ^C, begins on a line of its own.
            if phase != .silent || (error is CancellationError && console.out.isTerminal) { console.out.print("") }
            throw error
        }
        if phase != .silent { console.out.print("") }
        guard stream.isDone || stream.finishReason != nil else {
            throw Failure(
                .unavailable, "the answer broke off", advice: "`docker model logs` or the engine's log may tell why.")
        }
        messages.append(stream.message)
        return stream
    }

    private func read(_ stream: inout ChatStream, _ phase: inout Phase) async throws {
        let response = try await client.send(
            .POST, "/engines/v1/chat/completions", body: request.bytes, headers: [("accept", "text/event-stream")])
        var parser = SSE.Parser()
        try await RunnerClient.read(response) { chunk in
            for event in try parser.append(chunk) { show(try stream.take(event), &phase) }
            // Nobody reads any more (`| head`): the rest is not worth the machine's time.
            try console.out.checkIsRead()
        }
    }

    private enum Phase { case silent, reasoning, content }

    private func show(_ piece: ChatStream.Piece, _ phase: inout Phase) {
        if !piece.reasoning.isEmpty {
            if phase == .silent { console.out.print("Thinking:") }
            phase = .reasoning
            console.out.print(console.out.styled(piece.reasoning.printable, .dim), terminator: "")
        }
        if !piece.content.isEmpty {
            if phase == .reasoning { console.out.print("\n\n--\n\n", terminator: "") }
            phase = .content
            console.out.print(piece.content.printable, terminator: "")
        }
    }

    private var request: JSON {
        var object = JSON.Object([
            ("model", .string(model)), ("messages", .array(messages)), ("stream", true),
        ])
        if let temperature { object["temperature"] = .number(String(temperature)) }
        if !tools.isEmpty { object["tools"] = .array(tools) }
        return .object(object)
    }
}
