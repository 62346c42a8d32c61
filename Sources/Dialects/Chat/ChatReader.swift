internal import Core
internal import NIOCore

/// Reads what an engine answers to `/v1/chat/completions` and `/v1/completions`, whole or as a stream.
struct ChatReader: Sendable {
    /// One event of the stream.
    struct Chunk: Sendable {
        /// As it came; nil for the stream's end.
        let data: String?
        let events: [(choice: Int, event: ChatEvent)]
    }

    /// Bytes one event may have. Lines are as long as their event.
    static let maximumEvent = 64 << 20

    private var parser = SSE.Parser(maximumEvent: maximumEvent)
    private(set) var isDone = false

    /// The events that these bytes complete, for `read(_:)`, one after the other.
    ///
    /// - Throws: `.resourceExhausted` for one that is too large.
    mutating func events(in bytes: ByteBuffer) throws -> [SSE.Event] { try parser.append(bytes) }

    /// - Returns: nil for what comes after the end.
    /// - Throws: what the engine says went wrong; `.corrupted` for what is no completion.
    mutating func read(_ event: SSE.Event) throws -> Chunk? {
        if isDone { return nil }
        if event.data == "[DONE]" {
            isDone = true
            return Chunk(data: nil, events: [])
        }
        let json: JSON
        do { json = try JSON(parsing: event.data) } catch {
            throw Failure(.corrupted, "the engine's stream is not understood", cause: error)
        }
        if json["error"] != nil || event.name == "error" { throw EngineRefusal(status: 500, json).failure }
        return Chunk(data: event.data, events: Self.events(json))
    }

    /// The steps in one chunk, or in a whole answer.
    static func events(_ json: JSON) -> [(choice: Int, event: ChatEvent)] {
        var events: [(choice: Int, event: ChatEvent)] = []
        if let progress = json["prompt_progress"] {
            var usage = ChatUsage()
            usage.prompt = ChatUsage.count(progress["total"])
            usage.cached = min(usage.prompt, ChatUsage.count(progress["cache"]))
            events.append((0, .progress(usage)))
        }
        for choice in json["choices"]?.array ?? [] {
            let index = choice["index"]?.int ?? 0
            // `text` is what completions have.
            let message = choice["delta"] ?? choice["message"] ?? choice
            if let text = message["reasoning_content"]?.string ?? message["reasoning"]?.string, !text.isEmpty {
                events.append((index, .reasoning(text)))
            }
            if let text = message["content"]?.string ?? choice["text"]?.string, !text.isEmpty {
                events.append((index, .text(text)))
            }
            for (place, call) in (message["tool_calls"]?.array ?? []).enumerated() {
                let function = call["function"]
                events.append(
                    (
                        index,
                        .call(
                            index: call["index"]?.int ?? place, id: call["id"]?.string, name: function?["name"]?.string,
                            arguments: function?["arguments"]?.string ?? "")
                    ))
            }
            if let word = choice["stop_reason"]?.string, !word.isEmpty { events.append((index, .stopped(by: word))) }
            if let word = json["__verbose"]?["stopping_word"]?.string, !word.isEmpty {
                events.append((index, .stopped(by: word)))
            }
            if let timings = json["timings"] { events.append((index, .timings(ChatTimings(timings)))) }
            if let usage = json["usage"], usage.object != nil { events.append((index, .usage(ChatUsage(usage)))) }
            if let reason = choice["finish_reason"]?.string { events.append((index, .finish(reason))) }
        }
        if json["choices"]?.array?.isEmpty ?? true {
            if let timings = json["timings"] { events.append((0, .timings(ChatTimings(timings)))) }
            if let usage = json["usage"], usage.object != nil { events.append((0, .usage(ChatUsage(usage)))) }
        }
        return events
    }

    /// A whole answer.
    ///
    /// - Throws: `.corrupted` for what is no completion.
    static func whole(_ body: ByteBuffer) throws -> (json: JSON, answer: ChatAnswer) {
        let json: JSON
        do { json = try JSON(parsing: body) } catch {
            throw Failure(.corrupted, "the engine's answer is not understood", cause: error)
        }
        guard json["choices"]?.array?.isEmpty == false else {
            throw Failure(.corrupted, "the engine's answer has no choices")
        }
        var answer = ChatAnswer()
        for (choice, event) in events(json) where choice == 0 { try answer.add(event) }
        return (json, answer)
    }

    static let brokenOff = Failure(.unavailable, "the engine broke off its answer", advice: "Try again")
}
