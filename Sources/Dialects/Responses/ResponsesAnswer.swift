internal import Core
internal import NIOCore

/// A chat completion's answer as a response, whole or as its stream of events.
struct ResponsesAnswer: FaultKeeping {
    private let head: JSON.Object
    private let contract: AnswerContract?
    private let keep: @Sendable (JSON, [JSON]) -> Void
    private var reader = ChatReader()
    var fault = Fault()
    private var answer = ChatAnswer()
    private var events: ResponsesEvents

    /// - Parameters:
    ///   - head: the members that are known before anything is answered.
    ///   - keep: is given the finished response, and what it adds to the conversation.
    init(head: JSON.Object, contract: AnswerContract?, keep: @escaping @Sendable (JSON, [JSON]) -> Void) {
        self.head = head
        self.contract = contract
        self.keep = keep
        events = ResponsesEvents(id: head["id"]?.string ?? "resp_")
    }

    var streamType: String { "text/event-stream" }

    mutating func whole(_ answer: WholeAnswer) -> WholeAnswer {
        guard answer.status == 200 else { return answer.refused(for: .openAI) }
        do {
            self.answer = try ChatReader.whole(answer.body).answer
            for (choice, event) in try ChatReader.events(JSON(parsing: answer.body)) where choice == 0 {
                _ = events.take(event, self.answer)
            }
            _ = events.finish(self.answer)
            return WholeAnswer(try finished())
        } catch { return WholeAnswer(error, .openAI) }
    }

    mutating func take(_ bytes: ByteBuffer, _ out: inout ByteBuffer) throws {
        for event in try reader.events(in: bytes) {
            guard let chunk = try reader.read(event) else { return }
            start(&out)
            for (choice, event) in chunk.events where choice == 0 {
                try answer.add(event)
                write(events.take(event, answer), &out)
            }
            if chunk.data == nil {
                try check()
                write(events.finish(answer), &out)
                let response = try finished()
                let isWhole = response["status"] == "completed"
                write([("response.\(isWhole ? "completed" : "incomplete")", ["response": response])], &out)
            }
        }
    }

    mutating func end() throws -> ByteBuffer {
        try fault.rethrow()
        guard reader.isDone else { throw ChatReader.brokenOff }
        return ByteBuffer()
    }

    mutating func failure(_ failure: Failure) -> ByteBuffer {
        var out = ByteBuffer()
        start(&out)
        let error = API.openAI.error(failure, status: failure.status)["error"]
        let code = error?["code"].flatMap { $0.isNull ? nil : $0 } ?? "server_error"
        let message = JSON.string(failure.description)
        write([("error", ["code": code, "message": message, "param": nil])], &out)
        let response = self.response(
            status: "failed", output: [], error: ["code": "server_error", "message": message])
        write([("response.failed", ["response": response])], &out)
        return out
    }

    private mutating func start(_ out: inout ByteBuffer) {
        guard events.isNew else { return }
        let response = response(status: "in_progress", output: [])
        write([("response.created", ["response": response]), ("response.in_progress", ["response": response])], &out)
    }

    private mutating func write(_ list: [ResponsesEvents.Event], _ out: inout ByteBuffer) {
        for (name, members) in list {
            var event = JSON.Object([("type", .string(name)), ("sequence_number", .int(events.next()))])
            for (name, value) in members.object?.members ?? [] { event[name] = value }
            out.writeString("event: \(name)\ndata: \(JSON.object(event).text)\n\n")
        }
    }

    private func check() throws {
        guard answer.finish != nil else { throw ChatReader.brokenOff }
        try contract?.check(answer)
        for call in answer.calls { _ = try call.input }
    }

    /// The response at its end, which is kept.
    private func finished() throws -> JSON {
        try check()
        let isCut = answer.finish == "length"
        let response = response(status: isCut ? "incomplete" : "completed", output: events.output(isCut: isCut))
        keep(response, messages)
        return response
    }

    private func response(status: String, output: [JSON], error: JSON = nil) -> JSON {
        var response = head
        response["status"] = .string(status)
        response["error"] = error
        response["incomplete_details"] = status == "incomplete" ? ["reason": "max_output_tokens"] : .null
        response["output"] = .array(output)
        response["usage"] = status == "in_progress" || status == "failed" ? .null : usage
        return .object(response)
    }

    private var usage: JSON {
        [
            "input_tokens": .int(answer.usage.prompt),
            "input_tokens_details": ["cached_tokens": .int(answer.usage.cached)],
            "output_tokens": .int(answer.usage.completion), "output_tokens_details": ["reasoning_tokens": 0],
            "total_tokens": .int(answer.usage.prompt + answer.usage.completion),
        ]
    }

    /// What the answer is in the conversation.
    private var messages: [JSON] {
        var message = JSON.Object([("role", "assistant"), ("content", .string(answer.text))])
        if !answer.reasoning.isEmpty { message["reasoning_content"] = .string(answer.reasoning) }
        if !answer.calls.isEmpty {
            message["tool_calls"] = .array(
                answer.calls.enumerated().map { index, call in
                    [
                        "id": .string(events.callID(call, index)), "type": "function",
                        "function": ["name": .string(call.name), "arguments": .string(call.arguments)],
                    ]
                })
        }
        return [.object(message)]
    }
}
