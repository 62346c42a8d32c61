import Core
import NIOCore
import Synchronization
import Testing

@testable import Dialects

@Suite struct ResponsesTests {
    private static func request(_ members: String) throws -> ResponsesRequest {
        try ResponsesRequest(ByteBuffer(string: #"{"model":"m",\#(members)}"#))
    }

    private final class Kept: Sendable {
        let responses = Mutex<[StoredResponse]>([])
    }

    private static func exchange(_ members: String, before: [JSON] = [], kept: Kept = Kept()) throws -> Exchange {
        try request(members).exchange(id: "resp_1", created: 5, before: before) { response in
            kept.responses.withLock { $0.append(response) }
        }
    }

    static let conversations: [(String, JSON)] = [
        (#""input":"Hi""#, [["role": "user", "content": "Hi"]]),
        (
            #""input":"Hi","instructions":"S""#,
            [["role": "system", "content": "S"], ["role": "user", "content": "Hi"]]
        ),
        (
            #""input":[{"role":"developer","content":"D"},{"type":"message","role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_text","text":"b"}]}]"#,
            [["role": "system", "content": "D"], ["role": "user", "content": "a\nb"]]
        ),
        (
            #""input":[{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,x"}]}]"#,
            [
                [
                    "role": "user",
                    "content": [["type": "image_url", "image_url": ["url": "data:image/png;base64,x"]]],
                ]
            ]
        ),
        (
            #"""
            "input":[{"type":"reasoning","id":"r","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]},
            {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
            {"type":"function_call","call_id":"c2","name":"g","arguments":"{}"},
            {"type":"function_call_output","call_id":"c1","output":"r"},
            {"type":"message","role":"assistant","content":[{"type":"output_text","text":"x","annotations":[]}]}]
            """#,
            [
                [
                    "role": "assistant", "content": "", "reasoning_content": "hm",
                    "tool_calls": [
                        ["id": "c1", "type": "function", "function": ["name": "f", "arguments": "{}"]],
                        ["id": "c2", "type": "function", "function": ["name": "g", "arguments": "{}"]],
                    ],
                ], ["role": "tool", "tool_call_id": "c1", "content": "r"], ["role": "assistant", "content": "x"],
            ]
        ),
    ]

    @Test(arguments: conversations) func conversationsAreChats(_ members: String, _ messages: JSON) throws {
        #expect(try Self.exchange(members).json["messages"] == messages)
    }

    static let settings: [(String, JSON)] = [
        (#","max_output_tokens":5,"temperature":0.5"#, ["temperature": .number("0.5"), "max_tokens": 5]),
        (
            #","text":{"format":{"type":"json_schema","name":"n","schema":{"type":"null"},"strict":true}}"#,
            [
                "response_format": [
                    "type": "json_schema", "json_schema": ["name": "n", "schema": ["type": "null"], "strict": true],
                ]
            ]
        ),
        (
            #","tools":[{"type":"function","name":"f","parameters":{"type":"object"},"strict":false}],"tool_choice":{"type":"function","name":"f"}"#,
            [
                "tools": [
                    [
                        "type": "function",
                        "function": ["name": "f", "parameters": ["type": "object"], "strict": false],
                    ]
                ], "tool_choice": ["type": "function", "function": ["name": "f"]],
            ]
        ),
        (#","stream":true"#, ["stream": true, "stream_options": ["include_usage": true]]),
        (#","min_p":1"#, ["min_p": 1]),
        (
            #","reasoning":{"effort":"high"}"#,
            [
                "reasoning_effort": "high",
                "chat_template_kwargs": ["enable_thinking": true, "reasoning_effort": "high"],
            ]
        ),
        (#","metadata":{"a":"b"},"user":"u","include":[],"store":false"#, [:]),
    ]

    @Test(arguments: settings) func settingsAreTheEngines(_ members: String, _ expected: JSON) throws {
        var object = try #require(try Self.exchange(#""input":"Hi""# + members).json.object)
        for name in ["model", "messages"] { object[name] = nil }
        #expect(JSON.object(object) == expected)
    }

    static let refusals: [(String, String)] = [
        (#""input":7"#, "input must be a string"), (#""input":[]"#, "input is empty"),
        (#""store":true"#, "input is empty"),
        (#""input":"a","background":true"#, "background is not supported"),
        (#""input":"a","conversation":"c""#, "conversation is not supported"),
        (#""input":"a","truncation":"auto""#, "truncation must be disabled"),
        (#""input":"a","include":["file_search_call.results"]"#, "include cannot have"),
        (#""input":"a","tools":[{"type":"web_search"}]"#, "tools[0].type must be function"),
        (#""input":[{"type":"item_reference","id":"x"}]"#, "input[0].type \"item_reference\" is not supported"),
        (#""input":[{"role":"x","content":""}]"#, "input[0].role must be"),
        (
            #""input":[{"role":"user","content":[{"type":"input_image","image_url":"http://x"}]}]"#,
            "input[0].content[0].image_url"
        ),
        (#""input":"a","top_logprobs":3"#, "top_logprobs is not supported"),
        (#""input":"a","text":{"format":{"type":"x"}}"#, "text.format.type"),
        (
            #""input":"a","text":{"format":{"type":"json_schema","name":"n","schema":{"nullable":true}}}"#,
            "the schema at #"
        ),
    ]

    @Test(arguments: refusals) func whatIsWrongIsNamed(_ members: String, _ says: String) throws {
        let text = refusal { try Self.exchange(members) }
        #expect(text?.hasPrefix(says) == true, "\(text ?? "")")
    }

    private static let answer = #"""
        {"reasoning_content":"hm","content":"Hello","tool_calls":[{"id":"t","function":{"name":"f","arguments":"{}"}}]}
        """#

    @Test func answersAreResponsesAndAreKept() throws {
        let kept = Kept()
        let exchange = try Self.exchange(
            #""input":"And you?","metadata":{"a":"b"}"#, before: [["role": "user", "content": "Hi"]], kept: kept)
        var translation = try #require(exchange.translation)
        let json = try translation.whole(Engine.whole(Self.answer, finish: "tool_calls")).json
        #expect(json["status"] == "completed" && json["id"] == "resp_1" && json["created_at"] == 5)
        #expect(json["metadata"] == ["a": "b"] && json["tools"] == [] && json["error"] == .null)
        #expect(
            json["output"] == [
                [
                    "id": "rs_10", "status": "completed", "type": "reasoning", "summary": [],
                    "content": [["type": "reasoning_text", "text": "hm"]],
                ],
                [
                    "id": "msg_11", "status": "completed", "type": "message", "role": "assistant",
                    "content": [["type": "output_text", "text": "Hello", "annotations": [], "logprobs": []]],
                ],
                [
                    "id": "fc_12", "status": "completed", "type": "function_call", "call_id": "t", "name": "f",
                    "arguments": "{}",
                ],
            ])
        #expect(json["usage"]?["input_tokens"] == 14 && json["usage"]?["total_tokens"] == 20)
        let stored = try #require(kept.responses.withLock { $0.first })
        #expect(stored.response == json)
        // The turns of both sides, so that the next request can go on.
        #expect(
            stored.conversation == [
                ["role": "user", "content": "Hi"], ["role": "user", "content": "And you?"],
                [
                    "role": "assistant", "content": "Hello", "reasoning_content": "hm",
                    "tool_calls": [["id": "t", "type": "function", "function": ["name": "f", "arguments": "{}"]]],
                ],
            ])
        #expect(stored.items == [["type": "message", "role": "user", "content": "And you?"]])
    }

    @Test func aStreamTellsTheSameStepByStep() throws {
        let kept = Kept()
        let exchange = try Self.exchange(#""input":"Hi","stream":true"#, kept: kept)
        let translation = try #require(exchange.translation)
        let stream = Engine.stream(
            [
                #"{"role":"assistant","content":null}"#, #"{"reasoning_content":"hm"}"#, #"{"content":"Hel"}"#,
                #"{"content":"lo"}"#, #"{"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{"}}]}"#,
                #"{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}"#,
            ], finish: "tool_calls")
        let events = try events(translatedAnyhow(translation, stream))
        #expect(
            events.compactMap { $0.name?.dropFirst("response.".count) } == [
                "created", "in_progress", "output_item.added", "content_part.added", "reasoning_text.delta",
                "reasoning_text.done", "content_part.done", "output_item.done", "output_item.added",
                "content_part.added",
                "output_text.delta", "output_text.delta", "output_text.done", "content_part.done", "output_item.done",
                "output_item.added", "function_call_arguments.delta", "function_call_arguments.delta",
                "function_call_arguments.done", "output_item.done", "completed",
            ])
        #expect(events.map { $0.data["sequence_number"]?.int } == Array(0..<events.count))
        #expect(events.allSatisfy { $0.name == $0.data["type"]?.string })
        #expect(events[15].data["item"]?["call_id"] == "t" && events[15].data["output_index"] == 2)
        #expect(events[18].data["arguments"] == "{}")
        var whole = try #require(try Self.exchange(#""input":"Hi","stream":true"#).translation)
        #expect(try events.last?.data["response"] == whole.whole(Engine.whole(Self.answer, finish: "tool_calls")).json)
        #expect(kept.responses.withLock { $0.last?.response } == events.last?.data["response"])
    }

    @Test func whatIsCutIsIncomplete() throws {
        let translation = try #require(try Self.exchange(#""input":"Hi""#).translation)
        let events = try events(translatedAnyhow(translation, Engine.stream([#"{"content":"He"}"#], finish: "length")))
        let response = events.last?.data["response"]
        #expect(events.last?.name == "response.incomplete")
        #expect(
            response?["status"] == "incomplete" && response?["incomplete_details"] == ["reason": "max_output_tokens"])
        #expect(response?["output"]?.array?.first?["status"] == "incomplete")
    }

    @Test func failuresAreEvents() throws {
        let kept = Kept()
        let members = #""input":"Hi","text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}}"#
        let translation = try #require(try Self.exchange(members, kept: kept).translation)
        let events = try events(translatedAnyhow(translation, Engine.stream([#"{"content":"no"}"#])))
        #expect(events.suffix(2).map(\.name) == ["error", "response.failed"])
        let error = try #require(events.last?.data["response"]?["error"])
        #expect(error["message"]?.string?.contains("does not match the schema") == true)
        #expect(events.last?.data["response"]?["status"] == "failed")
        #expect(kept.responses.withLock { $0.isEmpty })
    }

    @Test func theShelfIsBounded() throws {
        func stored(_ id: String, _ text: String = "x") -> StoredResponse {
            StoredResponse(id: id, response: .string(text), items: [], conversation: [])
        }
        var shelf = ResponseShelf(lifetime: .seconds(10), capacity: 2, maximumSize: 100)
        shelf.put(stored("a"), at: .seconds(0))
        shelf.put(stored("b"), at: .seconds(5))
        #expect(try shelf.get("a", at: .seconds(9)).id == "a")
        #expect(throws: Failure.self) { try shelf.get("a", at: .seconds(10)) }
        #expect(shelf.count == 1)
        shelf.put(stored("c"), at: .seconds(11))
        shelf.put(stored("d"), at: .seconds(11))
        #expect(throws: Failure.self) { try shelf.get("b", at: .seconds(11)) }
        shelf.put(stored("e", String(repeating: "x", count: 90)), at: .seconds(12))
        #expect(shelf.count == 2 && (try? shelf.get("c", at: .seconds(12))) == nil)
        shelf.put(stored("f", String(repeating: "x", count: 900)), at: .seconds(12))
        #expect(shelf.count == 2)
        try shelf.delete("d", at: .seconds(12))
        #expect(throws: Failure.self) { try shelf.delete("d", at: .seconds(12)) }
        shelf.put(stored("e"), at: .seconds(13))
        #expect(try shelf.get("e", at: .seconds(13)).response == "x" && shelf.count == 1)
    }
}
