internal import Core
internal import Dialects
internal import JSONSchema
internal import NIOCore

extension ParserCheck {
    /// A list of a schema and a value.
    static func schema(_ bytes: [UInt8]) throws {
        let json = try JSON(parsing: bytes)
        guard let pair = json.array, pair.count == 2 else { throw Failure(.invalidArgument, "no schema and value") }
        let schema = try JSONSchema(pair[0])
        let mismatch = try schema.mismatch(pair[1])
        try require(mismatch?.isEmpty != true, "a mismatch without a word")
        // References lead elsewhere from within a larger schema.
        if String(decoding: bytes, as: UTF8.self).contains("$ref") { return }
        let negated = try JSONSchema(["not": ["allOf": [pair[0]]]]).mismatch(pair[1])
        try require((mismatch == nil) == (negated != nil), "a value that is neither right nor wrong")
    }

    private static let clock = OllamaClock(now: { "2026-01-02T03:04:05Z" }, elapsed: { .zero })

    private static let makers: [@Sendable (ByteBuffer) throws -> Exchange] = [
        { try OpenAIRequest($0).exchange(.chat) }, { try AnthropicRequest($0).exchange(id: "msg_1") },
        { try OllamaRequest(.chat, $0).exchange(clock: clock) },
        { try OllamaRequest(.generate, $0).exchange(clock: clock) },
        { try ResponsesRequest($0).exchange(id: "resp_1", created: 0, before: []) { _ in } },
        { try OllamaEmbedding($0, old: false).exchange(clock: clock) },
        { try ScoreRequest($0).exchange(id: "score-1", created: 0) },
    ]

    /// The same bytes as a request to one API after the other, until one takes them.
    static func request(_ bytes: [UInt8]) throws {
        let body = ByteBuffer(bytes: bytes)
        var refusal: (any Error)?
        for offset in makers.indices {
            do {
                let exchange = try makers[(bytes.count + offset) % makers.count](body)
                return try require(try JSON(parsing: exchange.body)["model"]?.string == exchange.model, "another model")
            } catch let failure as Failure {
                try require(failure.code == .invalidArgument, "a request's fault is called \(failure.code)")
                refusal = refusal ?? failure
            }
        }
        if let refusal { throw refusal }
    }

    /// An engine's stream through one of the translations, whole and in pieces.
    static func stream(_ bytes: [UInt8]) throws {
        let translations = try translations.get()
        let translation = translations[bytes.count % translations.count]
        let whole = try translate(bytes, pieces: bytes.count + 1, translation)
        let pieces = try translate(bytes, pieces: 1 + bytes.count % 7, translation)
        try require(whole.out == pieces.out, "another answer in pieces: \(whole.out) instead of \(pieces.out)")
        var copy = translation
        let answer = copy.whole(WholeAnswer(body: ByteBuffer(bytes: bytes)))
        try require((200...599).contains(answer.status), "an impossible status")
        if let failure = whole.failure { throw failure }
    }

    private static let translations = Result<[any Translation], any Error> {
        let words = #""messages":[{"role":"user","content":"x"}]"#
        func bytes(_ text: String) -> ByteBuffer { ByteBuffer(string: #"{"model":"m",\#(text)}"#) }
        let schema = #"{"type":"object","properties":{"n":{"type":"integer"}}}"#
        let format = #""response_format":{"type":"json_schema","json_schema":{"schema":\#(schema)}}"#
        let exchanges = [
            try OpenAIRequest(bytes("\(words),\(format)")).exchange(.chat),
            try AnthropicRequest(bytes("\(words),\"max_tokens\":1")).exchange(id: "msg_1"),
            try OllamaRequest(.chat, bytes("\(words),\"format\":\(schema)")).exchange(clock: clock),
            try OllamaRequest(.generate, bytes(#""prompt":"x""#)).exchange(clock: clock),
            try ResponsesRequest(bytes(#""input":"x""#)).exchange(id: "resp_1", created: 0, before: []) { _ in },
        ]
        return exchanges.compactMap(\.translation)
    }

    private static func translate(
        _ bytes: [UInt8], pieces: Int, _ translation: any Translation
    ) throws -> (out: String, failure: Failure?) {
        var translation = translation
        var rest = ByteBuffer(bytes: bytes)
        var out = ByteBuffer()
        do {
            while let piece = rest.readSlice(length: min(pieces, rest.readableBytes)), piece.readableBytes > 0 {
                out.writeImmutableBuffer(try translation.part(piece))
            }
            out.writeImmutableBuffer(try translation.end())
            return (String(buffer: out), nil)
        } catch let failure as Failure {
            out.writeImmutableBuffer(translation.failure(failure))
            return (String(buffer: out), failure)
        }
    }
}
