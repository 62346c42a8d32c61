import AsyncHTTPClient
import Core
import NIOCore
import NIOHTTP1
import NIOPosix
import SystemPackage
import TestSupport
import Testing

@testable import RunnerAPI

@Suite(.timeLimit(.minutes(2))) struct ObservingTests {
    @Test func requestsAreRecorded() async throws {
        try await Bench.run { bench in
            #expect(try await bench.get("/engines/requests").text == "[]")
            for number in 0..<12 {
                _ = try await bench.post(
                    "/v1/chat/completions", #"{"model":"pebble","messages":[{}],"fake":"echo","n":\#(number)}"#,
                    headers: [("user-agent", "me/1"), ("origin", "http://localhost:1")])
            }
            _ = try await bench.send(bench.chat("refuse"))
            let answer = try await bench.get("/engines/requests?model=pebble").json
            #expect(answer.array?.count == 1)
            let model = answer.array?.first
            #expect(model?["count"]?.int == 10)
            let records = model?["records"]?.array ?? []
            #expect(records.first?["request"]?.string?.contains(#""n":3"#) == true)
            #expect(records.first?["user_agent"]?.string == "me/1")
            #expect(records.first?["origin"]?.string == "http://localhost:1")
            #expect(records.first?["status_code"]?.int == 200)
            #expect(records.first?["response"]?.string?.contains(#""n":3"#) == true)
            #expect(records.last?["status_code"]?.int == 400)
            #expect(try await bench.get("/engines/requests?model=nothing").status == 404)
        }
    }

    @Test func whatIsRefusedBeforeAModelIsAskedIsRecordedToo() async throws {
        try await Bench.run { bench in
            let body = #"{"model":"nix","messages":[{"role":"user","content":"x"}],"max_tokens":1}"#
            for path in ["/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens", "/api/chat"] {
                _ = try await bench.post(path, body)
            }
            _ = try await bench.post("/v1/responses", #"{"model":"nix","input":"x"}"#)
            _ = try await bench.post("/v1/chat/completions", "{")
            _ = try await bench.post("/api/embed", #"{"model":"pebble","input":7}"#)
            let all = try await bench.get("/engines/requests").json.array ?? []
            #expect(all.map { $0["model"] == "" } == [true, false])
            let records = all.first?["records"]?.array ?? []
            #expect(records.map { $0["status_code"]?.int } == [404, 404, 404, 404, 404, 400])
            #expect(records.first?["model"] == "nix" && records.first?["request"]?.string == body)
            #expect(records.first?["error"]?.string?.hasPrefix("model not found: nix") == true)
            #expect(records.last?["request"] == "{" && records.last?["model"] == "")
            let known = all.last?["records"]?.array ?? []
            #expect(known.map { $0["url"] } == ["/api/embed"] && known.first?["status_code"] == 400)
            #expect(all.last?["config"] == [:])
        }
    }

    @Test func recordsTellHowTheModelIsRunAndWhatTheClientSent() async throws {
        try await Bench.run { bench in
            _ = try await bench.post("/engines/_configure", #"{"model":"pebble","slots":2}"#)
            let body =
                #"{"model":"pebble","messages":[{"role":"user","content":"x"}],"keep_alive":"7m","stream":false}"#
            _ = try await bench.post("/api/chat", body)
            let model = try await bench.get("/engines/requests").json.array?.first
            #expect(
                model?["config"]
                    == ["mode": "completion", "context-size": 2048, "keep_alive": "7m0s", "slots": 2], "\(model as Any)"
            )
            #expect(model?["records"]?.array?.first?["request"]?.string == body)
        }
    }

    @Test func aBrokenBodyIsTheClientsFault() async throws {
        try await Bench.run { bench in
            let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .connect(unixDomainSocketPath: bench.socket.string) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                    }
                }
            try await channel.executeThenClose { inbound, outbound in
                let head = "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"
                try await outbound.write(ByteBuffer(string: head))
                var text = ""
                for try await bytes in inbound { text += String(buffer: bytes) }
                #expect(text.hasPrefix("HTTP/1.1 400 ") && text.contains("invalid_request_error"), "\(text)")
            }
        }
    }

    @Test func tcpDoesNotShowThem() async throws {
        try await Bench.run { bench in
            let answer = try await bench.send(bench.request(.GET, "/engines/requests", tcp: true))
            #expect(answer.status == 403)
        }
        try await Bench.run(configure: { configuration, _ in configuration.showsRequests = true }) { bench in
            let answer = try await bench.send(bench.request(.GET, "/engines/requests", tcp: true))
            #expect(answer.status == 200)
        }
    }

    @Test func requestsAreFollowed() async throws {
        try await Bench.run { bench in
            _ = try await bench.send(bench.chat("echo"))
            var request = bench.request(.GET, "/engines/requests?include_existing=true")
            request.headers.add(name: "accept", value: "text/event-stream")
            let response = try await bench.client.execute(request, timeout: .seconds(60))
            var parser = SSE.Parser()
            var names: [String?] = []
            for try await chunk in response.body {
                for event in try parser.append(chunk) {
                    names.append(event.name)
                    if event.name == "existing_request" { _ = try await bench.send(bench.chat("refuse")) }
                }
                if names.count == 3 { break }
            }
            #expect(names == ["connected", "existing_request", "new_request"])
        }
    }

    @Test func metricsAreShown() async throws {
        try await Bench.run { bench in
            _ = try await bench.send(bench.chat("echo"))
            _ = try await bench.send(bench.chat("refuse"))
            let text = try await bench.get("/metrics").text
            let labels = #"backend="llama.cpp",model="docker.io/ai/pebble:latest",mode="completion""#
            #expect(text.contains("wharf_requests_total{\(labels),status=\"200\"} 1\n"))
            #expect(text.contains("wharf_requests_total{\(labels),status=\"400\"} 1\n"))
            #expect(text.contains("wharf_load_wait_seconds_count{\(labels)} 2\n"))
            #expect(text.contains("wharf_runners_ready 1\n"))
        }
    }

    @Test func enginesMetricsGetLabels() {
        let text = """
            # HELP llamacpp:n Number of "things".
            # TYPE llamacpp:n counter
            llamacpp:n 3
            llamacpp:h_bucket{le="0.1",model="own"} 4 1700000
            nonsense
            {x} 1
            bad{a=b} 1
            """
        let labels = [("backend", "b"), ("model", "m\"\\")]
        let families = MetricFamily.parse(text, adding: labels)
        #expect(
            MetricFamily.text(families + families) == """
                # HELP llamacpp:n Number of "things".
                # TYPE llamacpp:n counter
                llamacpp:n{backend="b",model="m\\"\\\\"} 3
                llamacpp:n{backend="b",model="m\\"\\\\"} 3
                # TYPE llamacpp:h_bucket untyped
                llamacpp:h_bucket{le="0.1",backend="b",model="m\\"\\\\"} 4
                llamacpp:h_bucket{le="0.1",backend="b",model="m\\"\\\\"} 4

                """)
    }

    @Test func mediaAreCut() {
        let media = "data:image/png;base64," + String(repeating: "QUJD", count: 1000)
        let prose = String(repeating: "some words, ", count: 300)
        let body = #"{"url":"\#(media)","text":"\#(prose)","short":"abc"}"#
        let cut = String(buffer: MediaTruncation.apply(to: ByteBuffer(string: body)))
        #expect(cut == body.replacing(media, with: media.prefix(100) + "...[truncated \(media.count - 100) bytes]"))
        let long = ByteBuffer(string: #"{"text":""# + String(repeating: "two words ", count: 20_000) + "\"}")
        #expect(MediaTruncation.apply(to: long).readableBytes == MediaTruncation.maximum)
        let unfinished = ByteBuffer(string: "\"" + String(repeating: "A", count: 5000) + "\\")
        #expect(MediaTruncation.apply(to: unfinished).readableBytes < 200)
    }

    @Test func streamsAreFolded() throws {
        let chunks = [
            #"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":null}}]}"#,
            #"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hel"}}]}"#,
            #"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"lo","tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{}"}}]}}]}"#,
            #"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"completion_tokens":2}}"#,
        ]
        let stream = chunks.map { "data: \($0)\n\n" }.joined() + "data: [DONE]\n\n"
        let folded = try JSON(parsing: CompletionFold.fold(ByteBuffer(string: stream)) ?? "")
        #expect(folded["object"]?.string == "chat.completion" && folded["usage"]?["completion_tokens"]?.int == 2)
        let choice = folded["choices"]?.array?.first
        #expect(choice?["message"]?["content"]?.string == "Hello" && choice?["finish_reason"]?.string == "stop")
        #expect(choice?["message"]?["tool_calls"]?.array?.first?["function"]?["name"]?.string == "f")
        #expect(CompletionFold.fold(ByteBuffer(string: "{}")) == nil)
        #expect(CompletionFold.fold(ByteBuffer(string: "data: x\n\n")) == nil)
    }

    @Test(
        arguments: [
            (#"{"usage":{"completion_tokens":208,"total_tokens":300}}"#, 208), (#"{"timings":{"predicted_n": 7}}"#, 7),
            (#"{"eval_count":12}"#, 12), ("{}", nil), ("", nil), (#""completion_tokens":"#, nil),
        ] as [(String, Int?)])
    func tokensAreRead(text: String, tokens: Int?) {
        #expect(Observation.tokens(in: ByteBuffer(string: text)) == tokens)
    }

    @Test func aStreamThatWaitsForItsModelHearsSo() async throws {
        try await Bench.run(gated: true, configure: { configuration, _ in configuration.heartbeat = .milliseconds(20) })
        {
            bench in
            let request = bench.posting(
                "/v1/chat/completions", #"{"model":"pebble","messages":[{}],"fake":"stream","stream":true}"#)
            let response = try await bench.client.execute(request, timeout: .seconds(60))
            #expect(response.status == .ok && response.headers["content-type"] == ["text/event-stream"])
            var text = ""
            for try await chunk in response.body {
                text += String(buffer: chunk)
                if text == ": waiting for the model\n\n" {
                    try bench.engine.open(gate: "second")
                    try bench.engine.open(gate: "gate")
                }
            }
            #expect(text.hasPrefix(": waiting for the model\n\n"))
            #expect(text.hasSuffix("data: one\n\ndata: two\n\ndata: [DONE]\n\n"))
        }
    }

    @Test func expectationsAreAnsweredAtOnce() async throws {
        try await Bench.run { bench in
            let body = #"{"model":"pebble","messages":[{}],"fake":"echo"}"#
            let head =
                "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n"
                + "content-length: \(body.utf8.count)\r\n\r\n"
            let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .connect(unixDomainSocketPath: bench.socket.string) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                    }
                }
            try await channel.executeThenClose { inbound, outbound in
                var text = ""
                try await outbound.write(ByteBuffer(string: head))
                for try await bytes in inbound {
                    text += String(buffer: bytes)
                    if text == "HTTP/1.1 100 Continue\r\n\r\n" { try await outbound.write(ByteBuffer(string: body)) }
                    if text.hasSuffix(body) { break }
                }
                #expect(text.contains("HTTP/1.1 200 OK"))
            }
        }
    }
}
