import Core
import Testing

@testable import ModelCommands

@Suite struct ChatStreamTests {
    private func take(_ events: [String]) throws -> ChatStream {
        var stream = ChatStream()
        for data in events { _ = try stream.take(SSE.Event(data: data)) }
        return stream
    }

    @Test func textComesPieceByPiece() throws {
        let stream = try take([
            #"{"choices":[{"delta":{"role":"assistant","content":null}}]}"#,
            #"{"choices":[{"delta":{"content":"Hel"}}]}"#,
            #"{"choices":[{"delta":{"content":"lo"},"finish_reason":null}]}"#,
            #"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#, #"{"choices":[],"usage":{"total_tokens":3}}"#,
            "[DONE]",
        ])
        #expect(stream.content == "Hello")
        #expect(stream.finishReason == "stop")
        #expect(stream.usage?["total_tokens"] == 3)
        #expect(stream.isDone)
        #expect(stream.message.text == #"{"role":"assistant","content":"Hello"}"#)
    }

    @Test func toolCallsArePutTogetherByIndex() throws {
        let stream = try take([
            #"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"add","arguments":"{\"a\""}}]}}]}"#,
            #"{"choices":[{"delta":{"tool_calls":[{"index":1,"id":"b","function":{"name":"echo","arguments":"{}"}}]}}]}"#,
            #"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}}]}"#,
        ])
        #expect(
            stream.toolCalls == [
                ToolCall(id: "a", name: "add", arguments: #"{"a":1}"#),
                ToolCall(id: "b", name: "echo", arguments: "{}"),
            ])
        #expect(stream.message["tool_calls"]?.array?.count == 2)
    }

    @Test(arguments: [
        "not json", #"{"error":{"message":"the engine died"}}"#,
        #"{"choices":[{"delta":{"tool_calls":[{"index":7}]}}]}"#,
        #"{"choices":[{"delta":{"tool_calls":[{"index":-1}]}}]}"#,
    ])
    func whatIsNoCompletionIsAFailure(_ data: String) {
        #expect(throws: Failure.self) { try take([data]) }
    }

    @Test func reasoningIsApart() throws {
        var stream = ChatStream()
        let piece = try stream.take(SSE.Event(data: #"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#))
        #expect(piece == ChatStream.Piece(reasoning: "hm", content: ""))
        #expect(stream.content.isEmpty)
    }
}

@Suite struct ModelRowTests {
    private func model(_ tags: [String]) -> JSON {
        ["id": "sha256:0123456789abcdef", "tags": .array(tags.map { .string($0) }), "created": 0, "config": [:]]
    }

    @Test func rowsAreSortedByNameThenTag() {
        let tags = ["docker.io/ai/b:latest", "docker.io/ai/a:2", "docker.io/ai/a:latest", "docker.io/ai/A-x:1"]
        let names = tags.flatMap { ModelRow.rows(model([$0])) }.sorted().map(\.name)
        #expect(names == ["a", "a:2", "A-x:1", "b"])
    }

    @Test func aModelWithoutTagsHasARow() {
        #expect(ModelRow.rows(model([])).map(\.cells).first?.prefix(5) == ["<none>", "", "", "", "0123456789ab"])
    }
}

@Suite struct RunnerEndpointTests {
    @Test(arguments: [
        ("localhost:1234", "http://localhost:1234"), ("http://h:1/", "http://h:1"), ("https://h", "https://h"),
    ])
    func aNamedHostIsTakenAsItIs(_ host: String, _ base: String) {
        #expect(RunnerEndpoint.named(Paths(environment: ["MODEL_RUNNER_HOST": host]))?.base == base)
    }

    @Test func ourOwnIsASocket() {
        let paths = Paths(environment: ["HOME": "/h", "MODEL_RUNNER_SOCK": "/tmp/a b.sock"])
        #expect(RunnerEndpoint.socket(paths).base == "http+unix://%2Ftmp%2Fa%20b.sock")
        #expect(RunnerEndpoint.named(paths) == nil)
    }

    @Test(arguments: [(nil, 12434), ("13000", 13000), ("0", 0), ("65535", 65535)] as [(String?, Int)])
    func thePortIsWhatWasSet(_ setting: String?, _ port: Int) throws {
        let paths = Paths(environment: setting.map { ["MODEL_RUNNER_PORT": $0] } ?? [:])
        #expect(try RunnerEndpoint.portNumber(paths) == port)
    }

    @Test(arguments: ["65536", "-1", "http", "1.5"])
    func whatIsNoPortIsNotPassedOver(_ setting: String) {
        let paths = Paths(environment: ["MODEL_RUNNER_PORT": setting])
        #expect(throws: Failure.self) { try RunnerEndpoint.portNumber(paths) }
    }

    @Test(arguments: [("ai/x:1", "ai/x%3A1"), ("h:5000/a/b", "h%3A5000/a/b"), ("a?b#c", "a%3Fb%23c"), ("../x", "../x")])
    func namesAreSafeInPaths(_ name: String, _ path: String) { #expect(name.pathEncoded == path) }
}
