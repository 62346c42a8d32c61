internal import Core

/// One step of a chat completion, as an engine tells it.
enum ChatEvent: Sendable, Hashable {
    case text(String)
    case reasoning(String)
    /// A piece of a tool call; its id and name come with the first one.
    case call(index: Int, id: String?, name: String?, arguments: String)
    /// Why the answer ends: `stop`, `length`, `tool_calls`.
    case finish(String)
    /// Which of the request's stop sequences ended it, where the engine says so.
    case stopped(by: String)
    /// How much of the prompt has been read, in tokens, while it is being read.
    case progress(ChatUsage)
    case usage(ChatUsage)
    case timings(ChatTimings)
}

/// Tokens.
struct ChatUsage: Sendable, Hashable {
    var prompt = 0
    /// Those of the prompt that needed no reading.
    var cached = 0
    var completion = 0

    init() {}

    /// OpenAI's `usage`.
    init(_ json: JSON) {
        prompt = Self.count(json["prompt_tokens"])
        completion = Self.count(json["completion_tokens"])
        cached = min(prompt, Self.count(json["prompt_tokens_details"]?["cached_tokens"]))
    }

    /// Numbers of strangers may be any; sums of these are numbers still.
    static func count(_ json: JSON?) -> Int { min(max(0, json?.int ?? 0), 1 << 40) }
}

/// What llama.cpp measures.
struct ChatTimings: Sendable, Hashable {
    var prompt = Duration.zero
    var completion = Duration.zero

    init() {}

    init(_ json: JSON) {
        prompt = Self.milliseconds(json["prompt_ms"])
        completion = Self.milliseconds(json["predicted_ms"])
    }

    private static func milliseconds(_ json: JSON?) -> Duration {
        guard let value = json?.double, value.isFinite, value >= 0, value < 1e12 else { return .zero }
        return .nanoseconds(Int64(value * 1e6))
    }
}

/// A chat completion's answer so far: one of its choices, in bounded memory.
struct ChatAnswer: Sendable, Hashable {
    struct Call: Sendable, Hashable {
        var id = ""
        var name = ""
        /// JSON as text.
        var arguments = ""
    }

    /// Bytes of texts and arguments together.
    static let maximumSize = 32 << 20
    static let maximumCalls = 256

    var text = ""
    var reasoning = ""
    var calls: [Call] = []
    var finish: String?
    var stopWord: String?
    var usage = ChatUsage()
    var timings = ChatTimings()
    private var size = 0

    init() {}

    /// - Throws: `.resourceExhausted` when the answer grows too large.
    mutating func add(_ event: ChatEvent) throws {
        switch event {
        case .text(let piece):
            try grow(piece)
            text += piece
        case .reasoning(let piece):
            try grow(piece)
            reasoning += piece
        case .call(let index, let id, let name, let arguments):
            guard (0..<Self.maximumCalls).contains(index) else {
                throw Failure(.resourceExhausted, "the model makes more than \(Self.maximumCalls) tool calls")
            }
            while calls.count <= index { calls.append(Call()) }
            try grow((id ?? "") + (name ?? "") + arguments)
            if let id, !id.isEmpty { calls[index].id = id }
            calls[index].name += name ?? ""
            calls[index].arguments += arguments
        case .finish(let reason): finish = reason
        case .stopped(let word): stopWord = word
        case .usage(let usage): self.usage = usage
        case .timings(let timings): self.timings = timings
        case .progress: break
        }
    }

    private mutating func grow(_ piece: String) throws {
        size += piece.utf8.count
        guard size <= Self.maximumSize else {
            throw Failure(.resourceExhausted, "the answer is larger than \(ByteCount(Self.maximumSize))")
        }
    }
}
