internal import Core
internal import NIOCore

/// A chat completion's answer as Anthropic's message, whole or as its stream of events.
struct AnthropicAnswer: FaultKeeping {
    private let id: String
    private let model: String
    private let contract: AnswerContract?
    private var reader = ChatReader()
    var fault = Fault()
    private var answer = ChatAnswer()
    private var hasStarted = false
    /// What the block being written holds.
    private var open: Block?
    private var blocks = 0

    private enum Block: Equatable {
        case text
        case thinking
        case call(Int)
    }

    init(id: String, model: String, contract: AnswerContract?) {
        self.id = id
        self.model = model
        self.contract = contract
    }

    var streamType: String { "text/event-stream" }

    // MARK: Whole

    mutating func whole(_ answer: WholeAnswer) -> WholeAnswer {
        guard answer.status == 200 else { return answer.refused(for: .anthropic) }
        do {
            self.answer = try ChatReader.whole(answer.body).answer
            try contract?.check(self.answer)
            return WholeAnswer(try message(content: content()))
        } catch { return WholeAnswer(error, .anthropic) }
    }

    private func content() throws -> [JSON] {
        var content: [JSON] = []
        if !answer.reasoning.isEmpty {
            content.append(["type": "thinking", "thinking": .string(answer.reasoning), "signature": ""])
        }
        if !answer.text.isEmpty { content.append(["type": "text", "text": .string(answer.text)]) }
        for (index, call) in answer.calls.enumerated() {
            content.append([
                "type": "tool_use", "id": .string(Self.id(of: call, index)), "name": .string(call.name),
                "input": .object(try call.input),
            ])
        }
        return content
    }

    private func message(content: [JSON]) -> JSON {
        [
            "id": .string(id), "type": "message", "role": "assistant", "model": .string(model),
            "content": .array(content), "stop_reason": answer.finish == nil ? nil : .string(stopReason),
            "stop_sequence": answer.stopWord.map { .string($0) } ?? .null, "usage": usage(answer.usage),
        ]
    }

    private static func id(of call: ChatAnswer.Call, _ index: Int) -> String {
        call.id.isEmpty ? "toolu_\(index)" : call.id
    }

    private var stopReason: String {
        if answer.stopWord != nil { return "stop_sequence" }
        return switch answer.finish {
        case "length": "max_tokens"
        case "tool_calls", "function_call": "tool_use"
        default: answer.calls.isEmpty ? "end_turn" : "tool_use"
        }
    }

    /// Anthropic counts what was cached apart.
    private func usage(_ usage: ChatUsage) -> JSON {
        [
            "input_tokens": .int(usage.prompt - usage.cached), "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": .int(usage.cached), "output_tokens": .int(usage.completion),
        ]
    }

    // MARK: Stream

    mutating func take(_ bytes: ByteBuffer, _ out: inout ByteBuffer) throws {
        for event in try reader.events(in: bytes) {
            guard let chunk = try reader.read(event) else { return }
            for (choice, event) in chunk.events where choice == 0 { try take(event, &out) }
            if chunk.data == nil { try close(&out) }
        }
    }

    mutating func end() throws -> ByteBuffer {
        try fault.rethrow()
        guard reader.isDone else { throw ChatReader.brokenOff }
        return ByteBuffer()
    }

    mutating func failure(_ failure: Failure) -> ByteBuffer {
        var out = ByteBuffer()
        Self.write("error", API.anthropic.error(failure, status: failure.status), &out)
        return out
    }

    private mutating func take(_ event: ChatEvent, _ out: inout ByteBuffer) throws {
        try answer.add(event)
        switch event {
        case .progress(let usage):
            if hasStarted { Self.write("ping", ["type": "ping"], &out) } else { answer.usage = usage }
            start(&out)
        case .reasoning(let piece):
            begin(.thinking, ["type": "thinking", "thinking": "", "signature": ""], &out)
            delta(["type": "thinking_delta", "thinking": .string(piece)], &out)
        case .text(let piece):
            begin(.text, ["type": "text", "text": ""], &out)
            delta(["type": "text_delta", "text": .string(piece)], &out)
        case .call(let index, _, _, let arguments):
            let call = answer.calls[index]
            begin(
                .call(index),
                [
                    "type": "tool_use", "id": .string(Self.id(of: call, index)), "name": .string(call.name),
                    "input": [:],
                ], &out)
            if !arguments.isEmpty { delta(["type": "input_json_delta", "partial_json": .string(arguments)], &out) }
        case .finish, .stopped, .usage, .timings: break
        }
    }

    private mutating func start(_ out: inout ByteBuffer) {
        if hasStarted { return }
        hasStarted = true
        var beginning = AnthropicAnswer(id: id, model: model, contract: nil)
        beginning.answer.usage = answer.usage
        Self.write("message_start", ["type": "message_start", "message": beginning.message(content: [])], &out)
    }

    private mutating func begin(_ block: Block, _ json: JSON, _ out: inout ByteBuffer) {
        start(&out)
        if open == block { return }
        finishBlock(&out)
        Self.write(
            "content_block_start",
            ["type": "content_block_start", "index": .int(blocks), "content_block": json], &out)
        open = block
    }

    private func delta(_ json: JSON, _ out: inout ByteBuffer) {
        Self.write(
            "content_block_delta", ["type": "content_block_delta", "index": .int(blocks), "delta": json], &out)
    }

    private mutating func finishBlock(_ out: inout ByteBuffer) {
        guard let open else { return }
        if open == .thinking { delta(["type": "signature_delta", "signature": ""], &out) }
        Self.write("content_block_stop", ["type": "content_block_stop", "index": .int(blocks)], &out)
        self.open = nil
        blocks += 1
    }

    private mutating func close(_ out: inout ByteBuffer) throws {
        guard answer.finish != nil else { throw ChatReader.brokenOff }
        try contract?.check(answer)
        for call in answer.calls { _ = try call.input }
        start(&out)
        finishBlock(&out)
        Self.write(
            "message_delta",
            [
                "type": "message_delta",
                "delta": [
                    "stop_reason": .string(stopReason),
                    "stop_sequence": answer.stopWord.map { .string($0) } ?? .null,
                ], "usage": usage(answer.usage),
            ], &out)
        Self.write("message_stop", ["type": "message_stop"], &out)
    }

    private static func write(_ name: String, _ json: JSON, _ out: inout ByteBuffer) {
        out.writeString("event: \(name)\ndata: \(json.text)\n\n")
    }
}

extension ChatAnswer.Call {
    /// The arguments as an object.
    ///
    /// - Throws: `.corrupted` when the model wrote something else.
    var input: JSON.Object {
        get throws {
            if arguments.allSatisfy(\.isWhitespace) { return JSON.Object() }
            guard let object = (try? JSON(parsing: arguments))?.object else {
                throw Failure(
                    .corrupted, "the model called the tool \(name.prefix(80)) with arguments that are no JSON object",
                    advice: "Ask again")
            }
            return object
        }
    }
}
