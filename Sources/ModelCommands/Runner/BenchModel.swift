internal import ArgumentParser
internal import Commands
internal import Core
internal import NIOCore
internal import NIOHTTP1
internal import Terminal

/// How fast a model answers here, for one client and for several.
struct BenchModel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure how fast a model answers", usage: "docker model bench [OPTIONS] MODEL",
        discussion: "The model is loaded first, which is not counted. Each client asks again and again for a stream.")

    @Option(help: ArgumentHelp("What is asked.", valueName: "text"))
    var prompt =
        "Write about one hundred words on what whales eat, how they breathe, and how far they travel in a year."
    @Option(help: ArgumentHelp("How long for each number of clients.", valueName: "duration"))
    var duration = Seconds(30)
    @Option(help: ArgumentHelp("Numbers of clients at once.", valueName: "list")) var concurrency = "1,2,4,8"
    @Option(help: ArgumentHelp("How long one answer may take.", valueName: "duration")) var timeout = Seconds(300)
    @Flag(help: "Print JSON.") var json = false
    @Argument(help: "The model.") var model: String

    private static let maximumClients = 256

    func validate() throws {
        guard duration.count > 0, timeout.count > 0 else {
            throw ValidationError("--duration and --timeout must be above 0")
        }
        _ = try levels
    }

    private var levels: [Int] {
        get throws {
            let numbers = concurrency.split(separator: ",").map { Int($0.filter { !$0.isWhitespace }) ?? 0 }
            guard !numbers.isEmpty, numbers.allSatisfy({ (1...Self.maximumClients).contains($0) }) else {
                throw ValidationError("--concurrency is a list of numbers from 1 to \(Self.maximumClients)")
            }
            return numbers
        }
    }

    func run() async throws {
        let context = CommandContext.current
        let levels = try levels
        try await RunnerClient.with { client in
            try await Preparation(client: client, context: context).prepare(model)
            // Loads the model, and fills no cache that the measured ones would not fill.
            _ = try await BenchAnswer.ask(client, body)
            var rows: [BenchRow] = []
            for clients in levels {
                if !json { context.console.err.print("\(clients) at once, \(duration.count) s…") }
                rows.append(try await measure(client, clients))
            }
            context.console.out.print(json ? report(rows).text(indent: 2) : BenchRow.table(rows))
        }
    }

    private var body: ByteBuffer {
        let request: JSON = [
            "model": .string(model), "stream": true, "stream_options": ["include_usage": true], "cache_prompt": false,
            "messages": [["role": "user", "content": .string(prompt)]],
        ]
        return request.bytes
    }

    private func measure(_ client: RunnerClient, _ clients: Int) async throws -> BenchRow {
        let (start, body) = (ContinuousClock.now, body)
        let end = start + .seconds(duration.count)
        let (seconds, limit) = (Duration.seconds(timeout.count), timeout.count)
        var answers: [BenchAnswer] = []
        try await withThrowingTaskGroup(of: [BenchAnswer].self) { group in
            for _ in 0..<clients {
                group.addTask {
                    var own: [BenchAnswer] = []
                    while ContinuousClock.now < end {
                        own.append(
                            try await withDeadline(seconds, "no whole answer after \(limit) s") {
                                try await BenchAnswer.ask(client, body)
                            })
                    }
                    return own
                }
            }
            for try await own in group { answers += own }
        }
        return BenchRow(clients: clients, elapsed: (ContinuousClock.now - start).inSeconds, answers: answers)
    }

    private func report(_ rows: [BenchRow]) -> JSON {
        ["model": .string(model), "prompt": .string(prompt), "results": .array(rows.map(\.json))]
    }
}

/// One measured answer.
struct BenchAnswer: Sendable {
    /// Seconds from the request to the first of the answer.
    var first = 0.0
    /// Seconds from there to its end.
    var rest = 0.0
    var tokens = 0
    /// Tokens of the prompt that were worked on, and the engine's own seconds for them, where it tells.
    var promptTokens = 0
    var promptSeconds: Double?

    /// - Throws: `.unavailable` when the answer broke off.
    static func ask(_ client: RunnerClient, _ body: ByteBuffer) async throws -> BenchAnswer {
        let start = ContinuousClock.now
        let response = try await client.send(
            .POST, "/engines/v1/chat/completions", body: body, headers: [("accept", "text/event-stream")])
        var (parser, stream, answer) = (SSE.Parser(), ChatStream(), BenchAnswer())
        var first: ContinuousClock.Instant?
        try await RunnerClient.read(response) { chunk in
            for event in try parser.append(chunk) {
                let piece = try stream.take(event)
                if first == nil, !piece.content.isEmpty || !piece.reasoning.isEmpty { first = .now }
                guard event.data != "[DONE]", let json = try? JSON(parsing: event.data) else { continue }
                answer.tokens = json["usage"]?["completion_tokens"]?.int ?? answer.tokens
                answer.promptTokens = json["usage"]?["prompt_tokens"]?.int ?? answer.promptTokens
                answer.promptSeconds = json["timings"]?["prompt_ms"]?.double.map { $0 / 1000 } ?? answer.promptSeconds
            }
        }
        guard stream.isDone || stream.finishReason != nil else { throw Failure(.unavailable, "an answer broke off") }
        answer.first = ((first ?? .now) - start).inSeconds
        answer.rest = (ContinuousClock.now - (first ?? .now)).inSeconds
        return answer
    }
}

/// What was measured with one number of clients.
struct BenchRow: Sendable {
    let clients: Int
    let elapsed: Double
    let answers: [BenchAnswer]

    private var tokens: Int { answers.reduce(0) { $0 + $1.tokens } }
    private var firsts: [Double] { answers.map(\.first).sorted() }
    private var decoding: Double {
        Self.middle(answers.filter { $0.tokens > 1 && $0.rest > 0 }.map { Double($0.tokens - 1) / $0.rest })
    }
    private var prompting: Double {
        Self.middle(
            answers.compactMap { answer in answer.promptSeconds.map { Double(answer.promptTokens) / max($0, 1e-6) } })
    }

    private static func middle(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    }

    var json: JSON {
        [
            "Concurrency": .int(clients), "Requests": .int(answers.count),
            "MeanRPS": .number(Self.text(Double(answers.count) / elapsed, 3)), "TotalTokens": .int(tokens),
            "TPS": .number(Self.text(Double(tokens) / elapsed, 1)), "TotalTime": .int(Int(elapsed * 1e9)),
            "TokenCounts": .array(answers.map { .int($0.tokens) }),
            "TimeToFirstToken": .number(Self.text(Self.middle(firsts), 4)),
            "PromptTPS": .number(Self.text(prompting, 1)), "DecodeTPS": .number(Self.text(decoding, 1)),
        ]
    }

    static func table(_ rows: [BenchRow]) -> String {
        var table = Table(["CLIENTS", "ANSWERS", "TOKENS/S", "FIRST TOKEN", "PROMPT TOKENS/S", "TOKENS/S OF EACH"])
        for row in rows {
            table.append([
                "\(row.clients)", "\(row.answers.count)", text(Double(row.tokens) / row.elapsed, 1),
                "\(text(middle(row.firsts) * 1000, 1)) ms", row.prompting > 0 ? text(row.prompting, 0) : "-",
                text(row.decoding, 1),
            ])
        }
        return table.text
    }

    /// A number with so many decimals, without Foundation.
    static func text(_ value: Double, _ decimals: Int) -> String {
        guard value.isFinite else { return "0" }
        var scale = 1.0
        for _ in 0..<decimals { scale *= 10 }
        let whole = Int((value.magnitude * scale).rounded())
        let digits = String(whole)
        let padded = String(repeating: "0", count: max(decimals + 1 - digits.count, 0)) + digits
        let sign = value < 0 && whole > 0 ? "-" : ""
        return sign + padded.dropLast(decimals) + (decimals > 0 ? "." + padded.suffix(decimals) : "")
    }
}

extension Duration {
    fileprivate var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
