import Core
import NIOCore
import Testing

@testable import Dialects

/// What engines say, and what becomes of it.
enum Engine {
    /// A stream of chat completion chunks from their choices' deltas; the last one ends the answer.
    static func stream(_ deltas: [String], finish: String = "stop", more: String = "") -> String {
        let chunks = deltas.map { chunk(#"{"index":0,"delta":\#($0),"finish_reason":null}"#) }
        let last = chunk(#"{"index":0,"delta":{},"finish_reason":"\#(finish)"}"#, more: more)
        return (chunks + [last, "data: \(usage)\n\n", "data: [DONE]\n\n"]).joined()
    }

    static func chunk(_ choice: String, more: String = "") -> String {
        "data: {\"choices\":[\(choice)],\"id\":\"chatcmpl-x\",\"object\":\"chat.completion.chunk\"\(more)}\n\n"
    }

    static let usage = """
        {"choices":[],"usage":{"prompt_tokens":14,"completion_tokens":6,"total_tokens":20,"prompt_tokens_details":\
        {"cached_tokens":4}},"timings":{"prompt_ms":1.5,"predicted_ms":2.25}}
        """

    static func whole(_ message: String, finish: String = "stop", more: String = "") -> WholeAnswer {
        let body = """
            {"choices":[{"index":0,"finish_reason":"\(finish)","message":\(message)}],"id":"chatcmpl-x",\
            "object":"chat.completion","usage":{"prompt_tokens":14,"completion_tokens":6,"prompt_tokens_details":\
            {"cached_tokens":4}},"timings":{"prompt_ms":1.5,"predicted_ms":2.25}\(more)}
            """
        return WholeAnswer(body: ByteBuffer(string: body))
    }

    static let tooLong = WholeAnswer(
        status: 400,
        body: ByteBuffer(
            string: """
                {"error":{"code":400,"message":"request (9009 tokens) exceeds the available context size (1024 tokens)",\
                "type":"exceed_context_size_error","n_prompt_tokens":9009,"n_ctx":1024}}
                """))
}

/// What a client sees of a stream that arrives in pieces of so many bytes; the failure is part of it.
func translated(_ translation: any Translation, _ stream: String, pieces: Int = .max) -> String {
    var translation = translation
    var rest = ByteBuffer(string: stream)
    var out = ByteBuffer()
    do {
        while let piece = rest.readSlice(length: min(pieces, rest.readableBytes)), piece.readableBytes > 0 {
            out.writeImmutableBuffer(try translation.part(piece))
        }
        out.writeImmutableBuffer(try translation.end())
    } catch {
        out.writeImmutableBuffer(translation.failure(error as? Failure ?? Failure.wrapping(error, "test")))
    }
    return String(buffer: out)
}

/// The same, however it is cut.
func translatedAnyhow(_ translation: any Translation, _ stream: String) -> String {
    let whole = translated(translation, stream)
    for pieces in [1, 2, 3, 7, 64, 1000] {
        #expect(translated(translation, stream, pieces: pieces) == whole, "in pieces of \(pieces)")
    }
    return whole
}

/// The events of a stream, their data parsed; `[DONE]` is a string.
func events(_ stream: String) throws -> [(name: String?, data: JSON)] {
    var parser = SSE.Parser()
    return try parser.append(ByteBuffer(string: stream)).map { event in
        (event.name, event.data == "[DONE]" ? "[DONE]" : try JSON(parsing: event.data))
    }
}

func lines(_ stream: String) throws -> [JSON] {
    try stream.split(separator: "\n").map { try JSON(parsing: $0) }
}

extension Exchange {
    var json: JSON { get throws { try JSON(parsing: body) } }
}

extension WholeAnswer {
    var json: JSON { get throws { try JSON(parsing: body) } }
}

func refusal<R>(_ body: () throws -> R) -> String? {
    let failure = #expect(throws: Failure.self) { try body() }
    #expect(failure?.code == .invalidArgument)
    return failure?.description
}
