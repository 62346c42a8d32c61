import Core
import NIOCore
import Testing

@testable import Dialects

@Suite struct OpenAITests {
    private static func request(_ text: String) throws -> OpenAIRequest { try OpenAIRequest(ByteBuffer(string: text)) }

    @Test func bytesStayAsTheyAre() throws {
        let text = "{ \"model\":\"a\", \"messages\" : [ {\"role\":\"user\",\"content\":\"\\u00e9\"}],\n\"x\":1.0 }"
        let exchange = try Self.request(text).exchange(.chat)
        #expect(String(buffer: exchange.body) == text)
        #expect(exchange.translation == nil && exchange.model == "a" && exchange.wishes.keepAlive == nil)
        let kept = try Self.request(#"{"model":"a","messages":[1],"keep_alive":"5m","tools":[{"type":"x"}]}"#)
        #expect(try kept.exchange(.chat).wishes.keepAlive == "5m")
        #expect(try kept.exchange(.chat).translation == nil)
    }

    static let refusals: [(Exchange.Operation, String, String)] = [
        (.chat, "{\"model\":", "invalid request"), (.chat, "[]", "invalid request: not a JSON object"),
        (.chat, "", "invalid request"), (.chat, "{}", "model is required"),
        (.chat, #"{"model":7}"#, "model is required"),
        (.chat, #"{"model":""}"#, "model is required"), (.chat, #"{"model":"a"}"#, "messages is required"),
        (.chat, #"{"model":"a","messages":"x"}"#, "messages must be a list"),
        (.chat, #"{"model":"a","messages":[ ]}"#, "messages is empty"),
        (
            .chat,
            #"{"model":"a","messages":[{"content":[{"type":"image_url","image_url":{"url":"http://x/y.png"}}]}]}"#,
            "messages[0].content[0].image_url must be a data: URL"
        ),
        (
            .chat,
            #"{"model":"a","messages":[{"content":[{"type":"image\u005furl","image\u005furl":{"url":"http://x/y.png"}}]}]}"#,
            "messages[0].content[0].image_url must be a data: URL"
        ),
        (
            .chat, #"{"model":"a","messages":[{"content":[{"video_url":"file:///x"}]}]}"#,
            "messages[0].content[0].video_url must be a data: URL"
        ),
        (
            .embedding, #"{"model":"a","input":[{"content":[{"image_url":{"url":"http://x"}}]}]}"#,
            "input[0].content[0].image_url must be a data: URL"
        ),
        (.reranking, #"{"model":"a","query":"q","documents":["d"],"top_n":-1}"#, "top_n must be"),
        (.completion, #"{"model":"a"}"#, "prompt is required"), (.embedding, #"{"model":"a"}"#, "input is required"),
        (.reranking, #"{"model":"a"}"#, "query is required"),
        (.reranking, #"{"model":"a","query":"q"}"#, "documents is required"),
        (.chat, #"{"model":"a","messages":[1],"response_format":{"type":"xml"}}"#, "response_format.type must be"),
        (
            .chat,
            #"{"model":"a","messages":[1],"response_format":{"type":"json_schema","json_schema":{"schema":{"unevaluatedItems":1}}}}"#,
            "the schema at # has the keyword \"unevaluatedItems\", which is not checked here"
        ),
        (.chat, #"{"model":"a","messages":[1],"json_schema":{"format":"phone"}}"#, "the schema at #/format"),
        (
            .chat,
            #"{"model":"a","messages":[1],"tools":[{"function":{"name":"f","strict":true,"parameters":{"nullable":true}}}]}"#,
            "the schema at # has the keyword \"nullable\""
        ),
    ]

    @Test(arguments: refusals) func whatCannotBeAnsweredIsSaid(
        _ operation: Exchange.Operation, _ body: String, _ says: String
    ) throws {
        let text = refusal { try Self.request(body).exchange(operation) }
        #expect(text?.hasPrefix(says) == true, "\(text ?? "")")
    }

    private static func checked(_ format: String) throws -> any Translation {
        let exchange = try request(#"{"model":"a","messages":[1],\#(format)}"#).exchange(.chat)
        return try #require(exchange.translation)
    }

    private static let schema = #"""
        "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object",
        "properties":{"n":{"type":"integer","multipleOf":7}},"required":["n"]}}}
        """#

    struct Answer: Sendable {
        let format: String
        let message: String
        var finish = "stop"
        /// nil: it passes.
        var says: String?
    }

    static let answers: [Answer] = [
        Answer(format: schema, message: #"{"content":"{\"n\": 14}"}"#),
        Answer(format: schema, message: #"{"content":"{\"n\": 15}"}"#, says: "$.n is no multiple of 7"),
        Answer(format: schema, message: #"{"content":"{}"}"#, says: "$.n is missing"),
        Answer(format: schema, message: #"{"content":"Hello"}"#, says: "it is no JSON"),
        Answer(format: schema, message: #"{"content":"{\"n\": 1"}"#, finish: "length"),
        Answer(
            format: schema, message: #"{"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}"#,
            finish: "tool_calls"),
        Answer(format: #""response_format":{"type":"json_object"}"#, message: #"{"content":"{\"a\":1}"}"#),
        Answer(
            format: #""response_format":{"type":"json_object"}"#, message: #"{"content":"[1]"}"#, says: "no JSON object"
        ),
        Answer(
            format: #""response_format":{"type":"json_object","schema":{"required":["a"]}}"#,
            message: #"{"content":"{}"}"#, says: "$.a is missing"),
        Answer(format: #""json_schema":{"type":"null"}"#, message: #"{"content":"1"}"#, says: "$ is no null"),
        Answer(
            format: #""tools":[{"function":{"name":"f","strict":true,"parameters":{"required":["a"]}}}]"#,
            message: #"{"tool_calls":[{"function":{"name":"f","arguments":"{\"b\":1}"}}]}"#, finish: "tool_calls",
            says: "the arguments of the tool call f does not match the schema that was asked for: $.a is missing"),
    ]

    @Test(arguments: answers) func structuredAnswersAreChecked(_ example: Answer) throws {
        var translation = try Self.checked(example.format)
        let given = Engine.whole(example.message, finish: example.finish)
        let answer = translation.whole(given)
        let stream = Engine.stream([example.message], finish: example.finish)
        let streamed = translatedAnyhow(try Self.checked(example.format), stream)
        guard let says = example.says else {
            #expect(answer == given)
            #expect(streamed == stream)
            return
        }
        #expect(answer.status == 500)
        let error = try answer.json["error"]
        #expect(error?["message"]?.string?.contains(says) == true, "\(error?.text ?? "")")
        #expect(error?["type"] == "server_error" && error?["code"] == "invalid_answer")
        let last = try #require(try events(streamed).last?.data)
        #expect(last["error"]?["message"]?.string?.contains(says) == true, "\(last)")
        // Nothing has said that the answer is complete.
        #expect(!streamed.contains("\"finish_reason\":\"\(example.finish)\"") && !streamed.contains("[DONE]"))
    }

    @Test func everyChoiceIsChecked() throws {
        var translation = try Self.checked(Self.schema)
        let body =
            #"{"choices":[{"index":0,"message":{"content":"{\"n\":7}"}},{"index":1,"message":{"content":"no"}}]}"#
        #expect(translation.whole(WholeAnswer(body: ByteBuffer(string: body))).status == 500)
    }

    @Test func aStreamWithoutItsEndIsNoAnswer() throws {
        let stream = Engine.chunk(#"{"index":0,"delta":{"content":"{\"n\":7}"},"finish_reason":null}"#)
        let last = try #require(try events(translatedAnyhow(try Self.checked(Self.schema), stream)).last?.data)
        #expect(last["error"]?["message"]?.string?.hasPrefix("the engine broke off its answer") == true)
        let bad = translated(try Self.checked(Self.schema), "data: {nonsense\n\n")
        #expect(bad.contains("the engine's stream is not understood"))
        let failed = translated(try Self.checked(Self.schema), "data: {\"error\":{\"message\":\"out of memory\"}}\n\n")
        #expect(try events(failed).last?.data["error"]?["message"] == "out of memory")
    }

    static let refused: [(Int, String, Int, JSON)] = [
        (
            400, String(buffer: Engine.tooLong.body), 400,
            [
                "message": """
                the prompt has 9009 tokens, and the context has room for 1024. Shorten it, or give the model a larger \
                context: docker model configure --context-size N MODEL.
                """, "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded",
                "n_prompt_tokens": 9009, "n_ctx": 1024,
            ]
        ),
        (
            500, #"{"error":{"code":500,"message":"image input is not supported - hint","type":"server_error"}}"#, 400,
            [
                "message": "image input is not supported - hint", "type": "invalid_request_error", "param": nil,
                "code": nil,
            ]
        ),
        (
            500,
            #"{"error":{"message":"input (901 tokens) is too large to process. (current batch size: 512)","type":"server_error"}}"#,
            400,
            [
                "message": """
                the input has 901 tokens, and the engine takes 512 at once. Shorten it, or embed it in parts.
                """, "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded",
                "n_prompt_tokens": 901, "n_ctx": 512,
            ]
        ),
        (
            501, #"{"error":{"message":"no embeddings","type":"not_supported_error"}}"#, 400,
            ["message": "no embeddings", "type": "invalid_request_error", "param": nil, "code": nil]
        ),
        (
            422, #"{"detail":"bad field"}"#, 422,
            ["message": "bad field", "type": "invalid_request_error", "param": nil, "code": nil]
        ),
        (500, "plain text", 500, ["message": "plain text", "type": "server_error", "param": nil, "code": nil]),
        (
            302, "{}", 500,
            [
                "message": "the engine refused the request with status 302", "type": "server_error", "param": nil,
                "code": nil,
            ]
        ),
    ]

    @Test(arguments: refused) func enginesRefusalsHaveOneShape(
        _ status: Int, _ body: String, _ expected: Int, _ error: JSON
    ) throws {
        let answer = WholeAnswer(status: status, body: ByteBuffer(string: body)).refused(for: .openAI)
        #expect(answer.status == expected)
        #expect(try answer.json["error"] == error)
    }

    @Test func scoresAreRerankings() throws {
        let request = try ScoreRequest(ByteBuffer(string: #"{"model":"m","text_1":"q","text_2":["a","b"]}"#))
        var exchange = request.exchange(id: "score-1", created: 5)
        #expect(try exchange.json == ["model": "m", "query": "q", "documents": ["a", "b"]])
        let results =
            #"{"results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":-1.5}],"usage":{"total_tokens":3}}"#
        let answer = exchange.translation?.whole(WholeAnswer(body: ByteBuffer(string: results)))
        #expect(
            try answer?.json == [
                "id": "score-1", "object": "list", "created": 5, "model": "m",
                "data": [
                    ["index": 0, "object": "score", "score": .number("-1.5")],
                    ["index": 1, "object": "score", "score": .number("0.9")],
                ], "usage": ["total_tokens": 3],
            ])
        for body in [
            #"{"model":"m"}"#, #"{"model":"m","text_1":["a","b"],"text_2":"c"}"#,
            #"{"model":"m","text_1":"a","text_2":[1]}"#,
        ] {
            _ = refusal { try ScoreRequest(ByteBuffer(string: body)) }
        }
    }

    /// llama.cpp answers what it cannot read with the status of a fault of its own.
    @Test(
        arguments: [
            ("Failed to parse tools: Missing tool type: 1; tools = [ 1 ]", 400),
            ("Failed to parse messages: [json.exception.type_error.302] type must be string, but is number", 400),
            ("Unknown reasoning format: zzz", 400), ("vector::_M_default_append", 500),
        ])
    func whatIsTheClientsFaultIsNoFaultOfTheServer(_ message: String, _ status: Int) {
        let body: JSON = ["error": ["code": 500, "message": .string(message), "type": "server_error"]]
        #expect(EngineRefusal(status: 500, body: body.bytes).status == status)
    }
}
