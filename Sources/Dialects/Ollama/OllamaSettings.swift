internal import Core

/// What Ollama's requests say about how an answer is made: `options`, `format`, `think`, `keep_alive`.
struct OllamaSettings {
    /// Members for an engine's request.
    var members: [(String, JSON)] = []
    var wishes = RunnerWishes()
    /// OpenAI's `response_format`; nil where any text will do.
    var format: JSON?

    /// Ollama's names and the engine's. The engine checks what they may be beyond their kind.
    private static let numbers: [String: String] = [
        "temperature": "temperature", "top_p": "top_p", "min_p": "min_p", "typical_p": "typical_p", "tfs_z": "tfs_z",
        "presence_penalty": "presence_penalty", "frequency_penalty": "frequency_penalty",
        "repeat_penalty": "repeat_penalty", "mirostat_tau": "mirostat_tau", "mirostat_eta": "mirostat_eta",
    ]
    private static let wholes: [String: String] = [
        "top_k": "top_k", "seed": "seed", "repeat_last_n": "repeat_last_n", "num_keep": "n_keep",
        "mirostat": "mirostat",
        "num_predict": "max_tokens",
    ]

    init(_ request: Fields) throws {
        wishes.keepAlive = request["keep_alive"]
        if let options = try request.fields("options") { try read(options) }
        try readThinking(request)
        if try request.flag("logprobs") == true {
            members.append(("logprobs", true))
            if let count = try request.count("top_logprobs") { members.append(("top_logprobs", .int(count))) }
        }
        switch request["format"] {
        case nil, .string(""): break
        case .string("json"): format = ["type": "json_object"]
        case .object(let schema)?:
            format = [
                "type": "json_schema", "json_schema": ["name": "answer", "strict": true, "schema": .object(schema)],
            ]
        default: throw Fields.wrong("format", "must be \"json\" or a JSON schema")
        }
        if let format { members.append(("response_format", format)) }
    }

    /// Options about the machine, such as `num_gpu`, are the runner's to decide and passed over.
    private mutating func read(_ options: Fields) throws {
        for (name, value) in options.object.members where !value.isNull {
            if let engines = Self.numbers[name] {
                guard value.double != nil else { throw Fields.wrong(options.path(name), "must be a number") }
                members.append((engines, value))
            } else if let engines = Self.wholes[name] {
                guard let number = value.int else { throw Fields.wrong(options.path(name), "must be a whole number") }
                // Below zero it means no limit, which is what engines do by themselves.
                if name != "num_predict" || number >= 0 { members.append((engines, .int(number))) }
            } else if name == "num_ctx" {
                wishes.contextSize = try options.count(name, atLeast: 1)
            } else if name == "stop" {
                let words = try value.string.map { [$0] } ?? options.texts(name) ?? []
                if !words.isEmpty { members.append(("stop", .array(words.map { .string($0) }))) }
            }
        }
    }

    private mutating func readThinking(_ request: Fields) throws {
        switch request["think"] {
        case nil: break
        case .bool(let isOn): members.append(("chat_template_kwargs", ["enable_thinking": .bool(isOn)]))
        case .string(let effort) where ["low", "medium", "high"].contains(effort):
            members.append(("reasoning_effort", .string(effort)))
            members.append(
                ("chat_template_kwargs", ["enable_thinking": true, "reasoning_effort": .string(effort)]))
        default: throw Fields.wrong("think", "must be true, false, \"low\", \"medium\" or \"high\"")
        }
    }
}
