import Core
import NIOCore
import Testing

@testable import Dialects

@Suite struct AnthropicTests {
    private static func exchange(_ members: String) throws -> Exchange {
        try AnthropicRequest(ByteBuffer(string: #"{"model":"m","max_tokens":9,\#(members)}"#)).exchange(id: "msg_1")
    }

    private static let hi = #""messages":[{"role":"user","content":"Hi"}]"#

    struct Conversation: Sendable {
        let given: String
        let messages: JSON
    }

    static let conversations: [Conversation] = [
        Conversation(
            given: #""messages":[{"role":"user","content":"Hi"}]"#, messages: [["role": "user", "content": "Hi"]]),
        Conversation(
            given:
                #""system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"}],\#(hi)"#,
            messages: [["role": "system", "content": "a\nb"], ["role": "user", "content": "Hi"]]),
        Conversation(
            given: #"""
                "messages":[{"role":"user","content":[{"type":"text","text":"Look"},{"type":"image","source":
                {"type":"base64","media_type":"image/png","data":"iVBO"}}]}]
                """#,
            messages: [
                [
                    "role": "user",
                    "content": [
                        ["type": "text", "text": "Look"],
                        ["type": "image_url", "image_url": ["url": "data:image/png;base64,iVBO"]],
                    ],
                ]
            ]),
        Conversation(
            given: #"""
                "messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},
                {"type":"redacted_thinking","data":"x"},{"type":"text","text":"I look"},
                {"type":"tool_use","id":"t1","name":"f","input":{"a":1.0}}]},
                {"role":"user","content":[{"type":"text","text":"and"},{"type":"tool_result","tool_use_id":"t1",
                "content":[{"type":"text","text":"r"}]},{"type":"tool_result","tool_use_id":"t2","content":"bad","is_error":true},
                {"type":"tool_result","tool_use_id":"t3"}]}]
                """#,
            messages: [
                [
                    "role": "assistant", "content": "I look", "reasoning_content": "hm",
                    "tool_calls": [
                        ["id": "t1", "type": "function", "function": ["name": "f", "arguments": #"{"a":1.0}"#]]
                    ],
                ],
                ["role": "tool", "tool_call_id": "t1", "content": "r"],
                ["role": "tool", "tool_call_id": "t2", "content": "Error: bad"],
                ["role": "tool", "tool_call_id": "t3", "content": ""],
                ["role": "user", "content": "and"],
            ]),
    ]

    @Test(arguments: conversations) func conversationsAreChats(_ example: Conversation) throws {
        #expect(try Self.exchange(example.given).json["messages"] == example.messages)
    }

    static let settings: [(String, JSON)] = [
        ("", [:]),
        (
            #","temperature":0.5,"top_k":3,"min_p":0.1"#,
            ["temperature": .number("0.5"), "top_k": 3, "min_p": .number("0.1")]
        ),
        (#","metadata":{"user_id":"u"},"service_tier":"auto""#, [:]),
        (#","stop_sequences":["END"]"#, ["stop": ["END"], "verbose": true, "response_fields": ["stopping_word"]]),
        (
            #","thinking":{"type":"enabled","budget_tokens":5}"#,
            ["chat_template_kwargs": ["enable_thinking": true], "thinking_budget_tokens": 5]
        ),
        (#","thinking":{"type":"disabled"}"#, ["chat_template_kwargs": ["enable_thinking": false]]),
        (
            #","tools":[{"name":"f","description":"d","input_schema":{"type":"object"},"strict":true}],"tool_choice":{"type":"any","disable_parallel_tool_use":true}"#,
            [
                "tools": [
                    [
                        "type": "function",
                        "function": [
                            "name": "f", "description": "d", "parameters": ["type": "object"], "strict": true,
                        ],
                    ]
                ], "tool_choice": "required", "parallel_tool_calls": false,
            ]
        ),
        (
            #","tool_choice":{"type":"tool","name":"f"}"#,
            ["tool_choice": ["type": "function", "function": ["name": "f"]]]
        ),
        (
            #","output_config":{"format":{"type":"json_schema","schema":{"type":"null"}}}"#,
            [
                "response_format": [
                    "type": "json_schema",
                    "json_schema": ["name": "answer", "strict": true, "schema": ["type": "null"]],
                ]
            ]
        ),
        (
            #","stream":true"#,
            ["stream": true, "stream_options": ["include_usage": true], "return_progress": true]
        ),
    ]

    @Test(arguments: settings) func settingsAreTheEngines(_ given: String, _ expected: JSON) throws {
        var object = try #require(try Self.exchange(Self.hi + given).json.object)
        for name in ["model", "messages"] { object[name] = nil }
        #expect(object["max_tokens"] == 9)
        object["max_tokens"] = nil
        #expect(JSON.object(object) == expected)
    }

    static let refusals: [(String, String)] = [
        (#""max_tokens":1"#, "messages is required"), (#""messages":[]"#, "messages is empty"),
        (#""messages":"x""#, "messages must be a list"),
        (hi + #","max_tokens":0"#, "max_tokens must be a whole number"),
        (#""messages":[{"role":"wizard","content":"x"}]"#, "messages[0].role must be user or assistant"),
        (#""messages":[{"role":"user"}]"#, "messages[0].content is required"),
        (
            #""messages":[{"role":"user","content":[{"type":"document"}]}]"#,
            "messages[0].content[0].type \"document\" is not"
        ),
        (
            #""messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"http://x"}}]}]"#,
            "messages[0].content[0].source.type must be base64"
        ),
        (
            hi + #","tools":[{"type":"web_search_20250305","name":"w"}]"#,
            "tools[0].type \"web_search_20250305\" is a tool of"
        ),
        (hi + #","tools":[{"name":"w"}]"#, "tools[0].input_schema is required"),
        (hi + #","mcp_servers":[{}]"#, "mcp_servers is not supported"),
        (hi + #","stream":1"#, "stream must be true or false"),
        (hi + #","stop_sequences":[1]"#, "stop_sequences must be a list of strings"),
        (hi + #","output_config":{"format":{"type":"json_schema","schema":{"nullable":true}}}"#, "the schema at # has"),
    ]

    @Test(arguments: refusals) func whatIsWrongIsNamed(_ members: String, _ says: String) throws {
        let text = refusal { try Self.exchange(members) }
        #expect(text?.hasPrefix(says) == true, "\(text ?? "")")
    }

    @Test func aLimitIsRequiredExceptForCounting() throws {
        let body = ByteBuffer(string: #"{"model":"m",\#(Self.hi)}"#)
        #expect(refusal { try AnthropicRequest(body) } == "max_tokens is required")
        let counting = try AnthropicRequest(body, counting: true)
        #expect(String(buffer: counting.templateRequest) == #"{"messages":[{"role":"user","content":"Hi"}]}"#)
        let tokens = try TokenCount.tokenRequest(ByteBuffer(string: #"{"prompt":"<|x|>Hi"}"#))
        #expect(String(buffer: tokens) == #"{"content":"<|x|>Hi","add_special":true,"parse_special":true}"#)
        #expect(try TokenCount.count(ByteBuffer(string: #"{"tokens":[1,2,3]}"#)) == 3)
        #expect(throws: Failure.self) { try TokenCount.count(ByteBuffer(string: "{}")) }
        #expect(throws: Failure.self) { try TokenCount.tokenRequest(ByteBuffer(string: "{}")) }
    }

    private static func translation(_ more: String = "") throws -> any Translation {
        try #require(try exchange(hi + more).translation)
    }

    static let answers: [(String, String, String, JSON, JSON, JSON)] = [
        (#"{"content":"Hello"}"#, "stop", "", [["type": "text", "text": "Hello"]], "end_turn", nil),
        (#"{"content":"Hel"}"#, "length", "", [["type": "text", "text": "Hel"]], "max_tokens", nil),
        (
            #"{"content":"He"}"#, "stop", #","__verbose":{"stopping_word":"l"}"#, [["type": "text", "text": "He"]],
            "stop_sequence", "l"
        ),
        (
            #"{"reasoning_content":"hm","content":"x"}"#, "stop", "",
            [["type": "thinking", "thinking": "hm", "signature": ""], ["type": "text", "text": "x"]], "end_turn", nil
        ),
        (
            #"{"content":null,"tool_calls":[{"id":"t1","function":{"name":"f","arguments":"{\"a\": 1}"}},{"id":"t2","function":{"name":"g","arguments":""}}]}"#,
            "tool_calls", "",
            [
                ["type": "tool_use", "id": "t1", "name": "f", "input": ["a": 1]],
                ["type": "tool_use", "id": "t2", "name": "g", "input": [:]],
            ], "tool_use", nil
        ),
    ]

    @Test(arguments: answers) func answersAreMessages(
        _ message: String, _ finish: String, _ more: String, _ content: JSON, _ reason: JSON, _ sequence: JSON
    ) throws {
        var translation = try Self.translation()
        let answer = try translation.whole(Engine.whole(message, finish: finish, more: more)).json
        #expect(
            answer == [
                "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content,
                "stop_reason": reason, "stop_sequence": sequence,
                "usage": [
                    "input_tokens": 10, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 4,
                    "output_tokens": 6,
                ],
            ])
        // The stream builds up to the same.
        let stream = translatedAnyhow(
            try Self.translation(), Engine.stream([message], finish: finish, more: more))
        let events = try events(stream)
        #expect(events.allSatisfy { $0.name == $0.data["type"]?.string })
        #expect(events.first?.name == "message_start" && events.last?.name == "message_stop")
        let delta = events.last { $0.name == "message_delta" }?.data
        #expect(delta?["delta"] == ["stop_reason": reason, "stop_sequence": sequence])
        #expect(delta?["usage"] == answer["usage"])
        #expect(events.count { $0.name == "content_block_start" } == content.array?.count)
        #expect(events.count { $0.name == "content_block_stop" } == content.array?.count)
    }

    @Test func aStreamTellsOfOneBlockAfterTheOther() throws {
        let stream =
            Engine.chunk(
                #"{"index":0,"delta":{"role":"assistant","content":null},"finish_reason":null}"#,
                more: #","prompt_progress":{"total":14,"cache":4,"processed":14}"#)
            + Engine.stream(
                [
                    #"{"reasoning_content":"h"}"#, #"{"content":"A"}"#, #"{"content":"B"}"#,
                    #"{"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{"}}]}"#,
                    #"{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}"#,
                ], finish: "tool_calls")
        let text = translatedAnyhow(try Self.translation(), stream)
        let events = try events(text)
        #expect(
            events.map { $0.name } == [
                "message_start", "content_block_start", "content_block_delta", "content_block_delta",
                "content_block_stop",
                "content_block_start", "content_block_delta", "content_block_delta", "content_block_stop",
                "content_block_start", "content_block_delta", "content_block_delta", "content_block_stop",
                "message_delta", "message_stop",
            ])
        #expect(events[0].data["message"]?["usage"]?["input_tokens"] == 10)
        #expect(events[0].data["message"]?["stop_reason"] == .null)
        #expect(events[9].data["content_block"] == ["type": "tool_use", "id": "t", "name": "f", "input": [:]])
        #expect(events[9].data["index"] == 2)
        #expect(events[11].data["delta"] == ["type": "input_json_delta", "partial_json": "}"])
    }

    @Test func failuresHaveAnthropicsShape() throws {
        var translation = try Self.translation()
        let refused = translation.whole(Engine.tooLong)
        #expect(refused.status == 400)
        let error = try refused.json["error"]
        #expect(try refused.json["type"] == "error" && error?["type"] == "invalid_request_error")
        #expect(error?["message"]?.string?.contains("9009 tokens, and the context has room for 1024") == true)
        let schema = #","output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}"#
        let last = try events(translatedAnyhow(try Self.translation(schema), Engine.stream([#"{"content":"no"}"#])))
            .last
        #expect(last?.name == "error" && last?.data["error"]?["type"] == "api_error")
        let calls = Engine.stream(
            [#"{"tool_calls":[{"function":{"name":"f","arguments":"{x"}}]}"#], finish: "tool_calls")
        #expect(try events(translatedAnyhow(try Self.translation(), calls)).last?.name == "error")
        #expect(try events(translatedAnyhow(try Self.translation(), "data: [DONE]\n\n")).last?.name == "error")
    }

    static let kinds: [(Failure.Code, Int, String)] = [
        (.invalidArgument, 400, "invalid_request_error"), (.notFound, 404, "not_found_error"),
        (.unauthorized, 401, "authentication_error"), (.forbidden, 403, "permission_error"),
        (.unavailable, 503, "overloaded_error"), (.timedOut, 504, "timeout_error"), (.internalError, 500, "api_error"),
    ]

    @Test(arguments: kinds) func everyFailureHasItsKind(_ code: Failure.Code, _ status: Int, _ type: String) throws {
        let answer = WholeAnswer(failure: Failure(code, "x"), .anthropic)
        #expect(answer.status == status)
        #expect(try answer.json == ["type": "error", "error": ["type": .string(type), "message": "x"]])
    }
}
