import Core
import NIOCore
import Testing

@testable import Dialects

@Suite struct OllamaTests {
    private static let clock = OllamaClock(now: { "2026-01-02T03:04:05Z" }, elapsed: { .milliseconds(7) })

    private static func request(_ kind: OllamaRequest.Kind, _ members: String) throws -> OllamaRequest {
        try OllamaRequest(kind, ByteBuffer(string: #"{"model":"m",\#(members)}"#))
    }

    private static let hi = #""messages":[{"role":"user","content":"Hi"}]"#

    static let chats: [(String, JSON)] = [
        (hi, ["stream": true, "stream_options": ["include_usage": true]]),
        (hi + #","stream":false"#, [:]),
        (
            hi + #"""
                ,"stream":false,"options":{"temperature":0.5,"top_k":3,"num_predict":9,"stop":["a"],"seed":1,"num_gpu":1,
                "repeat_penalty":1.1,"num_ctx":512,"num_keep":2}
                """#,
            [
                "temperature": .number("0.5"), "top_k": 3, "max_tokens": 9, "stop": ["a"], "seed": 1,
                "repeat_penalty": .number("1.1"), "n_keep": 2,
            ]
        ),
        (hi + #","stream":false,"options":{"num_predict":-1}"#, [:]),
        (hi + #","stream":false,"format":"json""#, ["response_format": ["type": "json_object"]]),
        (
            hi + #","stream":false,"format":{"type":"null"}"#,
            [
                "response_format": [
                    "type": "json_schema",
                    "json_schema": ["name": "answer", "strict": true, "schema": ["type": "null"]],
                ]
            ]
        ),
        (hi + #","stream":false,"think":false"#, ["chat_template_kwargs": ["enable_thinking": false]]),
        (
            hi + #","stream":false,"think":"low""#,
            [
                "reasoning_effort": "low",
                "chat_template_kwargs": ["enable_thinking": true, "reasoning_effort": "low"],
            ]
        ),
        (
            hi
                + #","stream":false,"tools":[{"type":"function","function":{"name":"f"}}],"logprobs":true,"top_logprobs":2"#,
            ["tools": [["type": "function", "function": ["name": "f"]]], "logprobs": true, "top_logprobs": 2]
        ),
    ]

    @Test(arguments: chats) func settingsAreTheEngines(_ members: String, _ expected: JSON) throws {
        let exchange = try Self.request(.chat, members).exchange(clock: Self.clock)
        #expect(exchange.operation == .chat)
        var object = try #require(try exchange.json.object)
        for name in ["model", "messages"] { object[name] = nil }
        #expect(JSON.object(object) == expected)
    }

    @Test func wishesAreForTheRunner() throws {
        let request = try Self.request(.chat, Self.hi + #","keep_alive":-1,"options":{"num_ctx":512}"#)
        #expect(request.wishes == RunnerWishes(keepAlive: -1, contextSize: 512))
    }

    @Test func conversationsAreChats() throws {
        let messages = #"""
            "messages":[{"role":"system","content":"S"},{"role":"user","content":"Look","images":["iVBORw0KGgoAAA"]},
            {"role":"assistant","content":"","thinking":"hm","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}},
            {"function":{"name":"g","arguments":"{}"}}]},{"role":"tool","content":"r","tool_name":"g"},
            {"role":"tool","content":"s"}]
            """#
        let json = try Self.request(.chat, messages).exchange(clock: Self.clock).json
        #expect(
            json["messages"] == [
                ["role": "system", "content": "S"],
                [
                    "role": "user",
                    "content": [
                        ["type": "image_url", "image_url": ["url": "data:image/png;base64,iVBORw0KGgoAAA"]],
                        ["type": "text", "text": "Look"],
                    ],
                ],
                [
                    "role": "assistant", "content": "", "reasoning_content": "hm",
                    "tool_calls": [
                        ["id": "call_0", "type": "function", "function": ["name": "f", "arguments": #"{"a":1}"#]],
                        ["id": "call_1", "type": "function", "function": ["name": "g", "arguments": "{}"]],
                    ],
                ],
                ["role": "tool", "tool_call_id": "call_1", "content": "r"],
                ["role": "tool", "tool_call_id": "call_0", "content": "s"],
            ])
    }

    @Test func promptsAreChatsOrRaw() throws {
        let chat = try Self.request(.generate, #""prompt":"Hi","system":"S","stream":false"#).exchange(
            clock: Self.clock)
        #expect(
            try chat.json == [
                "model": "m", "messages": [["role": "system", "content": "S"], ["role": "user", "content": "Hi"]],
            ])
        let raw = try Self.request(.generate, #""prompt":"Hi","raw":true,"stream":false"#).exchange(clock: Self.clock)
        #expect(raw.operation == .completion)
        #expect(try raw.json == ["model": "m", "prompt": "Hi"])
    }

    static let refusals: [(OllamaRequest.Kind, String, String)] = [
        (.chat, #"{}"#, "model is required"), (.chat, "", "missing request body"), (.chat, "[", "invalid request"),
        (.chat, #"{"model":"m","messages":{}}"#, "messages must be a list"),
        (.chat, #"{"model":"m","messages":[{"role":"x"}]}"#, "messages[0].role must be"),
        (.chat, #"{"model":"m","messages":[{"role":"user","images":["?"]}]}"#, "messages[0].images[0] is no picture"),
        (.chat, #"{"model":"m","options":{"temperature":"hot"}}"#, "options.temperature must be a number"),
        (.chat, #"{"model":"m","options":{"top_k":1.5}}"#, "options.top_k must be a whole number"),
        (.chat, #"{"model":"m","options":{"num_ctx":0}}"#, "options.num_ctx must be a whole number from 1"),
        (.chat, #"{"model":"m","format":"yaml"}"#, "format must be"),
        (.chat, #"{"model":"m","think":"much"}"#, "think must be"),
        (.chat, #"{"model":"m","format":{"nullable":true}}"#, "the schema at # has the keyword \"nullable\""),
        (.generate, #"{"model":"m","prompt":"a","suffix":"b"}"#, "suffix is not supported"),
        (.generate, #"{"model":"m","prompt":"a","template":"b"}"#, "template is not supported"),
        (.generate, #"{"model":"m","prompt":"a","context":[1]}"#, "context is not supported"),
    ]

    @Test(arguments: refusals) func whatIsWrongIsNamed(
        _ kind: OllamaRequest.Kind, _ body: String, _ says: String
    ) throws {
        let text = refusal { try OllamaRequest(kind, ByteBuffer(string: body)) }
        #expect(text?.hasPrefix(says) == true, "\(text ?? "")")
    }

    @Test func whoSaysNothingWantsTheModelLoaded() throws {
        let chat = try Self.request(.chat, #""messages":[]"#)
        #expect(chat.isEmpty)
        #expect(
            chat.emptyAnswer(unloaded: false, clock: Self.clock) == [
                "model": "m", "created_at": "2026-01-02T03:04:05Z", "message": ["role": "assistant", "content": ""],
                "done": true, "done_reason": "load",
            ])
        let generate = try Self.request(.generate, #""keep_alive":0"#)
        #expect(generate.isEmpty)
        #expect(generate.emptyAnswer(unloaded: true, clock: Self.clock)["done_reason"] == "unload")
        #expect(generate.emptyAnswer(unloaded: true, clock: Self.clock)["response"] == "")
    }

    private static func translation(_ kind: OllamaRequest.Kind, _ more: String = "") throws -> any Translation {
        let words = kind == .chat ? hi : #""prompt":"Hi""#
        var translation = try #require(try request(kind, words + more).exchange(clock: clock).translation)
        translation.loaded(in: .milliseconds(3))
        return translation
    }

    private static let statistics = JSON.Object([
        ("total_duration", 7_000_000), ("load_duration", 3_000_000), ("prompt_eval_count", 14),
        ("prompt_eval_duration", 1_500_000), ("eval_count", 6), ("eval_duration", 2_250_000),
    ])

    private static func line(_ members: JSON.Object, done: String? = nil) -> JSON {
        var line = JSON.Object([("model", "m"), ("created_at", "2026-01-02T03:04:05Z")])
        for (name, value) in members.members { line[name] = value }
        line["done"] = .bool(done != nil)
        guard let done else { return .object(line) }
        line["done_reason"] = .string(done)
        for (name, value) in statistics.members { line[name] = value }
        return .object(line)
    }

    private static func message(_ members: JSON) -> JSON.Object {
        var message = JSON.Object([("role", "assistant")])
        for (name, value) in members.object?.members ?? [] { message[name] = value }
        return JSON.Object([("message", .object(message))])
    }

    @Test func wholeAnswersHaveStatistics() throws {
        var chat = try Self.translation(.chat)
        let call =
            #"{"content":"a","reasoning_content":"b","tool_calls":[{"id":"x","function":{"name":"f","arguments":"{\"a\":1}"}}]}"#
        #expect(
            try chat.whole(Engine.whole(call, finish: "tool_calls")).json
                == Self.line(
                    Self.message([
                        "content": "a", "thinking": "b",
                        "tool_calls": [["function": ["name": "f", "arguments": ["a": 1]]]],
                    ]), done: "stop"))
        var generate = try Self.translation(.generate)
        #expect(
            try generate.whole(Engine.whole(#"{"content":"a"}"#, finish: "length")).json
                == Self.line(.init([("response", "a")]), done: "length"))
        #expect(try generate.whole(Engine.tooLong).json["error"]?.string?.contains("9009 tokens") == true)
    }

    @Test func streamsAreLines() throws {
        let stream = Engine.stream(
            [
                #"{"role":"assistant","content":null}"#, #"{"reasoning_content":"h"}"#, #"{"content":"A\n"}"#,
                #"{"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{\"a\""}}]}"#,
                #"{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}"#,
            ], finish: "tool_calls")
        #expect(
            try lines(translatedAnyhow(try Self.translation(.chat), stream)) == [
                Self.line(Self.message(["content": "", "thinking": "h"])), Self.line(Self.message(["content": "A\n"])),
                Self.line(
                    Self.message([
                        "content": "", "tool_calls": [["function": ["name": "f", "arguments": ["a": 1]]]],
                    ])),
                Self.line(Self.message(["content": ""]), done: "stop"),
            ])
        #expect(
            try lines(translatedAnyhow(try Self.translation(.generate), Engine.stream([#"{"content":"A"}"#]))) == [
                Self.line(.init([("response", "A")])), Self.line(.init([("response", "")]), done: "stop"),
            ])
        // As /v1/completions streams.
        let raw = """
            data: {"choices":[{"text":"th","index":0,"finish_reason":null}]}

            data: {"choices":[{"text":"","index":0,"finish_reason":"stop"}],"usage":{"prompt_tokens":14,"completion_tokens":6}\
            ,"timings":{"prompt_ms":1.5,"predicted_ms":2.25}}

            data: [DONE]


            """
        #expect(
            try lines(translatedAnyhow(try Self.translation(.generate, #","raw":true"#), raw)) == [
                Self.line(.init([("response", "th")])), Self.line(.init([("response", "")]), done: "stop"),
            ])
    }

    @Test func failuresAreLastLines() throws {
        let schema = #","format":{"type":"object"}"#
        let last = try lines(
            translatedAnyhow(try Self.translation(.chat, schema), Engine.stream([#"{"content":"no"}"#]))
        ).last
        #expect(last?["error"]?.string?.hasPrefix("the model's answer does not match the schema") == true)
        let cut = Engine.chunk(#"{"index":0,"delta":{"content":"A"},"finish_reason":null}"#)
        let broken = try lines(translatedAnyhow(try Self.translation(.chat), cut))
        #expect(broken.last == ["error": "the engine broke off its answer. Try again."])
    }

    @Test func embeddingsKeepTheirNumbers() throws {
        let body = ByteBuffer(string: #"{"model":"m","input":["a","b"],"dimensions":2,"truncate":true}"#)
        var exchange = try OllamaEmbedding(body, old: false).exchange(clock: Self.clock)
        #expect(exchange.operation == .embedding)
        #expect(
            try exchange.json == ["model": "m", "input": ["a", "b"], "encoding_format": "float", "dimensions": 2])
        let answer =
            #"{"data":[{"index":0,"embedding":[0.10,-1e-3]},{"index":1,"embedding":[2,3]}],"usage":{"prompt_tokens":4}}"#
        let translated = exchange.translation?.whole(WholeAnswer(body: ByteBuffer(string: answer)))
        #expect(
            translated.map { String(buffer: $0.body) } == """
                {"model":"m","embeddings":[[0.10,-1e-3],[2,3]],"total_duration":7000000,"load_duration":0,"prompt_eval_count":4}
                """)
        let old = try OllamaEmbedding(ByteBuffer(string: #"{"model":"m","prompt":"a"}"#), old: true)
        exchange = old.exchange(clock: Self.clock)
        let first = exchange.translation?.whole(WholeAnswer(body: ByteBuffer(string: answer)))
        #expect(first.map { String(buffer: $0.body) } == #"{"embedding":[0.10,-1e-3]}"#)
        #expect(exchange.translation?.whole(WholeAnswer(body: ByteBuffer(string: "{}"))).status == 500)
        #expect(try OllamaEmbedding(ByteBuffer(string: #"{"model":"m"}"#), old: false).isEmpty)
        #expect(refusal { try OllamaEmbedding(ByteBuffer(string: #"{"model":"m","input":[1]}"#), old: false) } != nil)
    }
}
