internal import Core

/// The output items of a response as they grow, and the events that tell of it.
struct ResponsesEvents: Sendable {
    typealias Event = (name: String, members: JSON)

    private enum Kind: Equatable {
        case reasoning
        case message
        case call(Int)
    }

    private struct Item {
        let kind: Kind
        let id: String
        var text = ""
        var call = ChatAnswer.Call()
        var isDone = false
    }

    private let suffix: String
    private var items: [Item] = []
    private var sequence = 0

    /// - Parameter id: the response's; its items are called after it.
    init(id: String) { suffix = String(id.drop { $0 != "_" }.dropFirst()) }

    var isNew: Bool { sequence == 0 }

    mutating func next() -> Int {
        defer { sequence += 1 }
        return sequence
    }

    func callID(_ call: ChatAnswer.Call, _ index: Int) -> String {
        call.id.isEmpty ? "call_\(suffix)\(index)" : call.id
    }

    mutating func take(_ event: ChatEvent, _ answer: ChatAnswer) -> [Event] {
        switch event {
        case .reasoning(let piece):
            let events = open(.reasoning)
            items[items.count - 1].text += piece
            return events + [("response.reasoning_text.delta", place(part: true, ["delta": .string(piece)]))]
        case .text(let piece):
            let events = open(.message)
            items[items.count - 1].text += piece
            let delta = place(part: true, ["delta": .string(piece), "logprobs": []])
            return events + [("response.output_text.delta", delta)]
        case .call(let index, _, _, let arguments):
            var call = answer.calls[index]
            call.id = callID(call, index)
            let events = open(.call(index), call)
            items[items.count - 1].call = call
            guard !arguments.isEmpty else { return events }
            return events + [
                ("response.function_call_arguments.delta", place(part: false, ["delta": .string(arguments)]))
            ]
        case .finish, .stopped, .progress, .usage, .timings: return []
        }
    }

    mutating func finish(_ answer: ChatAnswer) -> [Event] {
        close(isCut: answer.finish == "length")
    }

    /// The items of the whole response.
    func output(isCut: Bool) -> [JSON] {
        items.enumerated().map { index, item in
            json(item, status: isCut && index == items.count - 1 ? "incomplete" : "completed")
        }
    }

    // MARK: Items

    private mutating func open(_ kind: Kind, _ call: ChatAnswer.Call = .init()) -> [Event] {
        if let last = items.last, last.kind == kind, !last.isDone { return [] }
        var events = close(isCut: false)
        let prefix =
            switch kind {
            case .reasoning: "rs_"
            case .message: "msg_"
            case .call: "fc_"
            }
        var item = Item(kind: kind, id: "\(prefix)\(suffix)\(items.count)", call: call)
        item.call.arguments = ""
        items.append(item)
        let added: JSON = [
            "output_index": .int(items.count - 1), "item": json(item, status: "in_progress", empty: true),
        ]
        events.append(("response.output_item.added", added))
        if let part = Self.part(kind, "") {
            events.append(("response.content_part.added", place(part: true, ["part": part])))
        }
        return events
    }

    private mutating func close(isCut: Bool) -> [Event] {
        guard let item = items.last, !item.isDone else { return [] }
        items[items.count - 1].isDone = true
        var events: [Event] = []
        let text = JSON.string(item.text)
        switch item.kind {
        case .reasoning: events.append(("response.reasoning_text.done", place(part: true, ["text": text])))
        case .message:
            events.append(("response.output_text.done", place(part: true, ["text": text, "logprobs": []])))
        case .call:
            let done: JSON = ["arguments": .string(item.call.arguments), "name": .string(item.call.name)]
            events.append(("response.function_call_arguments.done", place(part: false, done)))
        }
        if let part = Self.part(item.kind, item.text) {
            events.append(("response.content_part.done", place(part: true, ["part": part])))
        }
        let done = json(item, status: isCut ? "incomplete" : "completed")
        events.append(("response.output_item.done", ["output_index": .int(items.count - 1), "item": done]))
        return events
    }

    /// The members that say where in the output an event belongs.
    private func place(part: Bool, _ members: JSON) -> JSON {
        var place = JSON.Object([
            ("item_id", .string(items.last?.id ?? "")), ("output_index", .int(items.count - 1)),
        ])
        if part { place["content_index"] = 0 }
        for (name, value) in members.object?.members ?? [] { place[name] = value }
        return .object(place)
    }

    private static func part(_ kind: Kind, _ text: String) -> JSON? {
        switch kind {
        case .reasoning: ["type": "reasoning_text", "text": .string(text)]
        case .message: ["type": "output_text", "text": .string(text), "annotations": [], "logprobs": []]
        case .call: nil
        }
    }

    private func json(_ item: Item, status: String, empty: Bool = false) -> JSON {
        let content = empty ? [] : Self.part(item.kind, item.text).map { [$0] } ?? []
        var json = JSON.Object([("id", .string(item.id)), ("status", .string(status))])
        switch item.kind {
        case .reasoning:
            json["type"] = "reasoning"
            json["summary"] = []
            json["content"] = .array(content)
        case .message:
            json["type"] = "message"
            json["role"] = "assistant"
            json["content"] = .array(content)
        case .call:
            json["type"] = "function_call"
            json["call_id"] = .string(item.call.id)
            json["name"] = .string(item.call.name)
            json["arguments"] = .string(item.call.arguments)
        }
        return .object(json)
    }
}
