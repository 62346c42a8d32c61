internal import Core
internal import NIOCore

/// A completion's answer as Ollama's, whole or line by line.
struct OllamaAnswer: FaultKeeping {
    private let kind: OllamaRequest.Kind
    private let model: String
    private let contract: AnswerContract?
    private let clock: OllamaClock
    private var reader = ChatReader()
    var fault = Fault()
    private var answer = ChatAnswer()
    private var loading = Duration.zero

    init(_ kind: OllamaRequest.Kind, model: String, contract: AnswerContract?, clock: OllamaClock) {
        self.kind = kind
        self.model = model
        self.contract = contract
        self.clock = clock
    }

    var streamType: String { "application/x-ndjson" }

    mutating func loaded(in duration: Duration) { loading = duration }

    mutating func whole(_ answer: WholeAnswer) -> WholeAnswer {
        guard answer.status == 200 else { return answer.refused(for: .ollama) }
        do {
            self.answer = try ChatReader.whole(answer.body).answer
            return WholeAnswer(
                .object(try last(text: self.answer.text, thinking: self.answer.reasoning, calls: calls())))
        } catch { return WholeAnswer(error, .ollama) }
    }

    mutating func take(_ bytes: ByteBuffer, _ out: inout ByteBuffer) throws {
        for event in try reader.events(in: bytes) {
            guard let chunk = try reader.read(event) else { return }
            for (choice, event) in chunk.events where choice == 0 {
                try answer.add(event)
                switch event {
                case .text(let piece): write(line(text: piece), &out)
                case .reasoning(let piece): write(line(text: "", thinking: piece), &out)
                default: break
                }
            }
            if chunk.data == nil {
                let last = try last(text: "", thinking: "", calls: nil)
                // Calls go out when they are whole, and before the last line.
                if let calls = try calls() { write(line(text: "", calls: calls), &out) }
                write(last, &out)
            }
        }
    }

    mutating func end() throws -> ByteBuffer {
        try fault.rethrow()
        guard reader.isDone else { throw ChatReader.brokenOff }
        return ByteBuffer()
    }

    mutating func failure(_ failure: Failure) -> ByteBuffer {
        ByteBuffer(string: API.ollama.error(failure, status: failure.status).text + "\n")
    }

    private func write(_ line: JSON.Object, _ out: inout ByteBuffer) {
        out.writeString(JSON.object(line).text + "\n")
    }

    private func calls() throws -> JSON? {
        guard !answer.calls.isEmpty else { return nil }
        return .array(
            try answer.calls.map { call in
                ["function": ["name": .string(call.name), "arguments": .object(try call.input)]]
            })
    }

    private func line(text: String, thinking: String = "", calls: JSON? = nil, done: Bool = false) -> JSON.Object {
        Self.line(kind, model: model, clock: clock, text: text, thinking: thinking, calls: calls, done: done)
    }

    static func line(
        _ kind: OllamaRequest.Kind, model: String, clock: OllamaClock, text: String, thinking: String = "",
        calls: JSON? = nil, done: Bool
    ) -> JSON.Object {
        var line = JSON.Object([("model", .string(model)), ("created_at", .string(clock.now()))])
        var words = JSON.Object()
        switch kind {
        case .chat:
            words["role"] = "assistant"
            words["content"] = .string(text)
            if !thinking.isEmpty { words["thinking"] = .string(thinking) }
            if let calls { words["tool_calls"] = calls }
            line["message"] = .object(words)
        case .generate:
            line["response"] = .string(text)
            if !thinking.isEmpty { line["thinking"] = .string(thinking) }
        }
        line["done"] = .bool(done)
        return line
    }

    /// The last line, or the whole answer: with counts, and durations in nanoseconds.
    private func last(text: String, thinking: String, calls: JSON?) throws -> JSON.Object {
        guard let finish = answer.finish else { throw ChatReader.brokenOff }
        try contract?.check(answer)
        var line = line(text: text, thinking: thinking, calls: calls, done: true)
        line["done_reason"] = finish == "length" ? "length" : "stop"
        line["total_duration"] = .int(clock.elapsed().nanoseconds)
        line["load_duration"] = .int(loading.nanoseconds)
        line["prompt_eval_count"] = .int(answer.usage.prompt)
        line["prompt_eval_duration"] = .int(answer.timings.prompt.nanoseconds)
        line["eval_count"] = .int(answer.usage.completion)
        line["eval_duration"] = .int(answer.timings.completion.nanoseconds)
        return line
    }
}

extension Duration {
    var nanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}
