import AsyncHTTPClient
import Core
import NIOCore
import NIOHTTP1
import TestSupport
import Testing

@testable import RunnerAPI

@Suite(.timeLimit(.minutes(2))) struct RelayTests {
    @Test func bytesGoThroughUntouched() async throws {
        try await Bench.run { bench in
            let body =
                "{ \"model\" : \"ai/pebble:latest\",\n \"messages\": [ {}], \"n\": 1.0, \"é\": \"\\u00e9\", \"a\":[1e3, 2 ] }"
            for prefix in ["/engines/v1", "/v1", "/engines/llama.cpp/v1"] {
                let answer = try await bench.post(
                    "\(prefix)/chat/completions?x=1", body,
                    headers: [
                        ("authorization", "Bearer secret"), ("x-own", "kept"), ("connection", "x-hop"), ("x-hop", "1"),
                    ])
                #expect(answer.status == 200)
                #expect(answer.text == body)
                #expect(answer.headers["server"] == [] && answer.headers["access-control-allow-origin"] == [])
                #expect(answer.headers["content-type"] == ["application/json"])
            }
            let requests = try bench.engine.journal().filter { $0["event"]?.string == "request" }
            #expect(requests.map { $0["path"]?.string } == Array(repeating: "/v1/chat/completions?x=1", count: 3))
            let headers = requests.first?["headers"]
            #expect(headers?["host"]?.string == "localhost" && headers?["x-own"]?.string == "kept")
            #expect(headers?["authorization"] == nil && headers?["x-hop"] == nil)
            #expect(try bench.engine.count("start") == 1)
        }
    }

    @Test func everyChunkGoesDownAtOnce() async throws {
        try await Bench.run { bench in
            let response = try await bench.client.execute(bench.chat("stream"), timeout: .seconds(60))
            #expect(response.headers["content-type"] == ["text/event-stream"])
            var chunks = response.body.makeAsyncIterator()
            // The engine says nothing more before the gate opens, so this arrived by itself.
            #expect(try await chunks.next().map { String(buffer: $0) } == "data: one\n\n")
            try bench.engine.open(gate: "second")
            var rest = ""
            while let chunk = try await chunks.next() { rest += String(buffer: chunk) }
            #expect(rest == "data: two\n\ndata: [DONE]\n\n")
            try await bench.waitForRunners { $0.first?["in_use"]?.bool == false }
        }
    }

    @Test func aClientThatLeavesEndsTheGeneration() async throws {
        try await Bench.run { bench in
            let client = Task { try await bench.send(bench.chat("hang")) }
            try await bench.engine.wait(for: "hanging")
            try await bench.waitForRunners { $0.first?["in_use"]?.bool == true }
            client.cancel()
            try await bench.engine.wait(for: "gone")
            try await bench.waitForRunners { $0.first?["in_use"]?.bool == false }
        }
    }

    @Test func aClientThatLeavesWhileStreamingEndsTheGeneration() async throws {
        try await Bench.run { bench in
            let client = Task {
                let response = try await bench.client.execute(bench.chat("stream"), timeout: .seconds(60))
                for try await _ in response.body { return }
            }
            try await client.value
            try await bench.waitForRunners { $0.first?["in_use"]?.bool == false }
        }
    }

    @Test func aClientThatLeavesWhileLoadingLeavesTheLoadToOthers() async throws {
        try await Bench.run(gated: true) { bench in
            let client = Task { try await bench.send(bench.chat("echo")) }
            try await bench.engine.wait(for: "start")
            async let other = bench.send(bench.chat("echo"))
            client.cancel()
            _ = await client.result
            try bench.engine.open(gate: "gate")
            #expect(try await other.status == 200)
            #expect(try bench.engine.count("start") == 1)
        }
    }

    @Test func theEnginesOwnErrorsGetTheShapeOfTheirAPI() async throws {
        try await Bench.run { bench in
            let answer = try await bench.send(bench.chat("refuse"))
            #expect(answer.status == 400)
            #expect(
                try answer.json == [
                    "error": [
                        "message": "refused", "type": "invalid_request_error", "param": nil, "code": nil,
                    ]
                ])
        }
    }

    @Test func anEngineThatDiesIsExplained() async throws {
        try await Bench.run { bench in
            let answer = try await bench.send(bench.chat("die"))
            #expect(answer.status == 500)
            #expect(
                try answer.json["error"]?["message"]?.string
                    == "llama.cpp terminated unexpectedly: exit code 1. Its last output: GGML_ASSERT(alive) failed")
            #expect(try await bench.send(bench.chat("echo")).status == 200)
        }
    }

    @Test func anEngineThatDiesInAStreamIsExplainedThere() async throws {
        try await Bench.run { bench in
            try bench.engine.open(gate: "second")
            let answer = try await bench.send(bench.chat("break"))
            var parser = SSE.Parser()
            let events = try parser.append(answer.body)
            #expect(events.first?.data == "one" && events.count == 2)
            let error = try JSON(parsing: events.last?.data ?? "")["error"]
            #expect(error?["message"]?.string?.contains("GGML_ASSERT(broken) failed") == true)
            #expect(error?["type"]?.string == "server_error")
        }
    }

    @Test func anEngineThatDiesWhileLoadingIsExplained() async throws {
        try await Bench.run(dies: "unknown tensor type 77") { bench in
            let answer = try await bench.send(bench.chat("echo"))
            #expect(answer.status == 500)
            let message = try answer.json["error"]?["message"]?.string
            #expect(
                message == "unable to load runner: llama.cpp stopped while loading the model: exit code 1. "
                    + "Its last output: unknown tensor type 77")
        }
    }

    @Test func aMissingEngineIsSaid() async throws {
        try await Bench.run(installed: false) { bench in
            let answer = try await bench.send(bench.chat("echo"))
            #expect(answer.status == 412)
            let error = try answer.json["error"]
            #expect(error?["code"]?.string == "backend_not_installed")
            #expect(
                error?["message"]?.string?.contains("Run: docker model install-runner --backend llama.cpp") == true)
            #expect(try await bench.get("/engines/status").json == ["llama.cpp": "Not Installed"])
        }
    }
}
