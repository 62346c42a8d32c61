import Core
import NIOCore
import SystemPackage
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
        ("HTTP://h:1/a/b//", "http://h:1/a/b"), ("http://[::1]:80", "http://[::1]:80"),
        ("unix:///tmp/a b.sock", "http+unix://%2Ftmp%2Fa%20b.sock"),
    ])
    func aNamedHostIsTakenAsItIs(_ host: String, _ base: String) throws {
        #expect(try RunnerEndpoint.named(Paths(environment: ["MODEL_RUNNER_HOST": host]))?.base == base)
    }

    @Test(arguments: [
        "/path", "unix://", "unix:///", "unix://relative", "ftp://h", "http://", "http:///x", "http://h:port",
        "http://h:99999", "a b", "http://h/a b", "://h", "h?x", "unix:///\(String(repeating: "x", count: 200))",
    ])
    func whatIsNoAddressIsSaidInOneLine(_ host: String) {
        let failure = #expect(throws: Failure.self) {
            try RunnerEndpoint.named(Paths(environment: ["MODEL_RUNNER_HOST": host]))
        }
        #expect(failure?.message.hasPrefix("MODEL_RUNNER_HOST is \"") == true)
        #expect(failure?.advice?.contains("unix:///path/to.sock") == true)
    }

    @Test func aPasswordInAnAddressIsNotRepeated() {
        let failure = #expect(throws: Failure.self) { try RunnerHost.base("http://me:s3cret@h") }
        #expect(failure?.description.contains("s3cret") == false)
    }

    @Test func aDaemonThatIsNotOursIsNotStopped() async throws {
        #expect(throws: Failure.self) { try RunningDaemon(Paths(environment: ["MODEL_RUNNER_HOST": "http://h"])) }
        let folder = try Files.makeTemporaryDirectory(prefix: "wharf-stop-")
        defer { try? Files.remove(folder) }
        let daemon = try RunningDaemon(Paths(environment: ["MODEL_RUNNER_SOCK": folder.appending("s").string]))
        #expect(try await daemon.stop() == nil)
        // A lock that nobody holds, signed by a process that has ended, whose number may be anybody's by now.
        let current = try #require(ProcessIdentity.current)
        let ended = "\(current.place)/\(current.number)/1"
        try Files.write(ByteBuffer(string: ended), to: folder.appending("s.lock"))
        #expect(try await daemon.stop() == nil)
        guard let lock = try FileLock.acquire(folder.appending("s.lock"), wait: false) else {
            Issue.record("the lock is free")
            return
        }
        try lock.note("something else entirely")
        let failure = await #expect(throws: Failure.self) { try await daemon.stop() }
        #expect(failure?.code == .conflict)
        _ = consume lock
    }

    @Test func ourOwnIsASocket() throws {
        let paths = Paths(environment: ["HOME": "/h", "MODEL_RUNNER_SOCK": "/tmp/a b.sock"])
        #expect(RunnerEndpoint.socket(paths).base == "http+unix://%2Ftmp%2Fa%20b.sock")
        #expect(try RunnerEndpoint.named(paths) == nil)
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
