package import Core
package import NIOCore

/// A request made ready for an engine, and what is to be made of the answer.
package struct Exchange: Sendable {
    /// What an engine is asked, by its path.
    package enum Operation: String, Sendable {
        case chat = "/v1/chat/completions"
        case completion = "/v1/completions"
        case embedding = "/v1/embeddings"
        case reranking = "/v1/rerank"
    }

    package var model: String
    package var operation: Operation
    /// The engine's request. Bytes that only pass through are the client's own.
    package var body: ByteBuffer
    /// nil passes the answer on as it comes.
    package var translation: (any Translation)?
    /// What the request wants of the runner.
    package var wishes: RunnerWishes

    package init(
        model: String, operation: Operation, body: ByteBuffer, translation: (any Translation)?,
        wishes: RunnerWishes = RunnerWishes()
    ) {
        self.model = model
        self.operation = operation
        self.body = body
        self.translation = translation
        self.wishes = wishes
    }
}

/// How a request wants its model to be run, where it says so.
package struct RunnerWishes: Sendable, Hashable {
    /// How long the model stays loaded afterwards; negative: for ever.
    package var keepAlive: Duration?
    /// Tokens of context.
    package var contextSize: Int?

    package init(keepAlive: Duration? = nil, contextSize: Int? = nil) {
        self.keepAlive = keepAlive
        self.contextSize = contextSize
    }

    /// `"5m"`, `"1h30m"`, seconds as a number, `0`, `-1`.
    ///
    /// - Throws: `.invalidArgument` for anything else.
    package static func keepAlive(_ json: JSON?) throws -> Duration? {
        guard let json, !json.isNull else { return nil }
        if let seconds = json.double, seconds.isFinite, seconds.magnitude < 1e10 {
            return seconds < 0 ? .seconds(-1) : .milliseconds(Int64(seconds * 1000))
        }
        if let text = json.string, let duration = duration(text) { return duration }
        throw Failure(
            .invalidArgument, "keep_alive must be a number of seconds or a duration, not \(json.text.prefix(40))",
            advice: "Write \"5m\", 0 for none, or -1 for ever")
    }

    /// As Go writes durations.
    private static func duration(_ text: String) -> Duration? {
        if let seconds = Double(text), seconds.isFinite, seconds.magnitude < 1e10 {
            return seconds < 0 ? .seconds(-1) : .milliseconds(Int64(seconds * 1000))
        }
        let units: [(String, Double)] = [("ms", 1), ("us", 0.001), ("ns", 0.000_001), ("h", 3_600_000), ("m", 60_000), ("s", 1000)]
        var rest = text[...]
        let isNegative = rest.first == "-"
        if isNegative { rest = rest.dropFirst() }
        guard !rest.isEmpty else { return nil }
        var milliseconds = 0.0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber || $0 == "." }
            guard let value = Double(digits) else { return nil }
            rest = rest.dropFirst(digits.count)
            guard let unit = units.first(where: { rest.hasPrefix($0.0) }) else { return nil }
            rest = rest.dropFirst(unit.0.count)
            milliseconds += value * unit.1
        }
        guard milliseconds < 1e13 else { return nil }
        return isNegative ? .seconds(-1) : .milliseconds(Int64(milliseconds))
    }
}
