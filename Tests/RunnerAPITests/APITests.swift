import AsyncHTTPClient
import Core
import ModelStore
import NIOCore
import NIOHTTP1
import OCI
import TestSupport
import Testing

@testable import RunnerAPI

/// The routes of all APIs against a fake engine; what is made of answers is tested with the translations.
@Suite(.timeLimit(.minutes(2))) struct APITests {
    private static let answer = #"""
        "answer":{"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"{\"n\":1}"}}],
        "usage":{"prompt_tokens":3,"completion_tokens":2}}
        """#

    @Test func everyAPIRefusesInItsOwnShape() async throws {
        try await Bench.run { bench in
            let anthropic = [
                "/v1/messages", "/anthropic/v1/messages", "/engines/v1/messages", "/v1/messages/count_tokens",
            ]
            for path in anthropic {
                let missing = try await bench.post(
                    path, #"{"model":"nix","max_tokens":1,"messages":[{"role":"user","content":"x"}]}"#)
                #expect(missing.status == 404, "\(path)")
                #expect(try missing.json["type"] == "error" && missing.json["error"]?["type"] == "not_found_error")
                let empty = try await bench.post(path, #"{"model":"pebble","max_tokens":1,"messages":[]}"#)
                #expect(empty.status == 400, "\(path)")
                #expect(try empty.json["error"]?["message"] == "messages is empty: there must be at least one message")
                let route = try await bench.post("\(path)/none", "{}")
                #expect(try route.status == 404 && route.json["error"]?["type"] == "not_found_error")
            }
            for path in [
                "/api/chat", "/api/generate", "/api/embed", "/api/embeddings", "/api/show", "/api/pull", "/api/create",
            ] {
                let empty = try await bench.post(path, "")
                #expect(empty.status == 400, "\(path) \(empty.text)")
                #expect(try empty.json == ["error": "missing request body"], "\(path)")
                #expect(try await bench.post(path, "[").status == 400, "\(path)")
                #expect(try await bench.post(path, "{}").json == ["error": "model is required"], "\(path)")
            }
            for path in ["/api/chat", "/api/generate", "/api/embed", "/api/show"] {
                let missing = try await bench.post(path, #"{"model":"nix"}"#)
                #expect(missing.status == 404, "\(path)")
                #expect(try missing.json["error"]?.string?.hasPrefix("model not found: nix") == true, "\(path)")
            }
            #expect(try await bench.get("/api/none").json == ["error": "unknown route GET /api/none"])
            #expect(try await bench.get("/v1/responses/resp_x").json["error"]?["code"] == "response_not_found")
            #expect(try bench.engine.count("start") == 0)
        }
    }

    @Test func aRequestThatIsTooLargeIsRefused() async throws {
        try await Bench.run(maximumRequest: 1000) { bench in
            let text = String(repeating: "x", count: 2000)
            for (path, type) in [
                ("/v1/chat/completions", "invalid_request_error"), ("/v1/messages", "request_too_large"),
            ] {
                let refused = try await bench.post(path, #"{"model":"pebble","x":"\#(text)"}"#)
                #expect(refused.status == 413)
                let error = try refused.json["error"]
                #expect(error?["message"] == "the request is too large, the limit is 1.00kB")
                #expect(error?["type"]?.string == type)
            }
            #expect(try await bench.post("/api/chat", #"{"model":"\#(text)"}"#).status == 413)
        }
    }

    @Test func structuredAnswersFailClosed() async throws {
        try await Bench.run { bench in
            func ask(_ more: String, _ schema: String) async throws -> Bench.Answer {
                try await bench.post(
                    "/v1/chat/completions",
                    #"{"model":"pebble","messages":[{}],\#(more),"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":\#(schema)}}}"#
                )
            }
            let whole = #""fake":"answer",\#(Self.answer)"#
            #expect(try await ask(whole, #"{"required":["n"]}"#).status == 200)
            let wrong = try await ask(whole, #"{"required":["m"]}"#)
            #expect(wrong.status == 500)
            #expect(try wrong.json["error"]?["code"] == "invalid_answer")
            let events = #"""
                "fake":"events","stream":true,"events":["{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"{}\"}}]}",
                "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}","[DONE]"]
                """#
            #expect(try await ask(events, "{}").text.hasSuffix("data: [DONE]\n\n"))
            let broken = try await ask(events, #"{"required":["m"]}"#)
            #expect(broken.status == 200 && !broken.text.contains("[DONE]"))
            var parser = SSE.Parser()
            let last = try parser.append(broken.body).last?.data
            #expect(try JSON(parsing: last ?? "")["error"]?["code"] == "invalid_answer")
            let unchecked = try await ask(whole, #"{"unevaluatedItems":false}"#)
            #expect(unchecked.status == 400 && unchecked.text.contains("unevaluatedItems"))
        }
    }

    @Test func responsesAreKeptAndGoneOnFrom() async throws {
        try await Bench.run { bench in
            func create(_ more: String) async throws -> JSON {
                try await bench.post(
                    "/v1/responses", #"{"model":"pebble","input":"Hi","fake":"answer",\#(Self.answer)\#(more)}"#
                ).json
            }
            let first = try await create("")
            let id = try #require(first["id"]?.string)
            #expect(first["status"] == "completed" && id.hasPrefix("resp_") && id.utf8.count == 29)
            #expect(try await bench.get("/engines/v1/responses/\(id)").json == first)
            let items = try await bench.get("/v1/responses/\(id)/input_items").json
            #expect(items["data"]?.array?.first?["content"] == [["type": "input_text", "text": "Hi"]])
            let second = try await create(#","previous_response_id":"\#(id)""#)
            #expect(second["previous_response_id"]?.string == id)
            #expect(try await bench.post("/v1/responses/\(id)/cancel", "").status == 400)
            let deleted = try await bench.send(bench.request(.DELETE, "/v1/responses/\(id)")).json
            #expect(deleted == ["id": .string(id), "object": "response.deleted", "deleted": true])
            #expect(try await bench.get("/v1/responses/\(id)").status == 404)
            let unkept = try await create(#","store":false"#)
            #expect(try await bench.get("/v1/responses/\(unkept["id"]?.string ?? "")").status == 404)
        }
    }

    @Test func ollamasClientsFindTheirWayAround() async throws {
        try await Bench.run { bench in
            #expect(try await bench.get("/api/version").json["version"]?.string?.isEmpty == false)
            let tags = try await bench.get("/api/tags").json["models"]?.array
            #expect(tags?.map { $0["name"] } == ["pebble:latest"])
            #expect(tags?.first?["details"]?["family"] == "llama" && tags?.first?["digest"]?.string?.count == 64)
            let shown = try await bench.post("/api/show", #"{"model":"pebble"}"#).json
            #expect(shown["capabilities"] == ["completion", "tools"])
            #expect(shown["model_info"]?["llama.block_count"] == 5)
            #expect(shown["template"]?.string?.contains("<|im_start|>") == true)

            let recipe = #"""
                {"model":"mine","from":"pebble","system":"Be brief.","parameters":{"temperature":0.5,"stop":["a","b"]},
                "license":["L"],"messages":[{"role":"user","content":"u"}],"template":"{{ .Prompt }}"}
                """#
            let created = try await bench.post("/api/create", recipe)
            #expect(created.text.hasSuffix("{\"status\":\"success\"}\n"), "\(created.text)")
            let mine = try await bench.post("/api/show", #"{"name":"mine:latest"}"#).json
            #expect(mine["system"] == "Be brief." && mine["license"] == "L" && mine["template"] == "{{ .Prompt }}")
            #expect(mine["parameters"] == "stop \"a\"\nstop \"b\"\ntemperature 0.5")
            #expect(mine["modelfile"]?.string?.contains("SYSTEM \"\"\"Be brief.\"\"\"") == true)
            for wrong in [
                #"{"model":"x"}"#, #"{"model":"x","from":"pebble","quantize":"q4_0"}"#,
                #"{"model":"x","from":"pebble","parameters":{"nonsense":1}}"#,
                #"{"model":"x","files":{"a.gguf":"sha256:\#(String(repeating: "0", count: 64))"}}"#,
            ] { #expect(try await bench.post("/api/create", wrong).status == 400, "\(wrong)") }
            #expect(try await bench.post("/api/create", #"{"model":"x","from":"nix"}"#).status == 404)

            #expect(try await bench.post("/api/copy", #"{"source":"mine","destination":"yours"}"#).status == 200)
            #expect(try await bench.post("/api/copy", #"{"source":"nix","destination":"yours"}"#).status == 404)
            #expect(try await bench.get("/api/tags").json["models"]?.array?.count == 3)
            var delete = bench.request(.DELETE, "/api/delete")
            delete.body = .bytes(ByteBuffer(string: #"{"model":"yours"}"#))
            #expect(try await bench.send(delete).status == 200)
            #expect(try await bench.send(delete).status == 404)
        }
    }

    @Test func modelsAreMadeOfBlobs() async throws {
        try await Bench.run { bench in
            let file = try Files.read(Bench.model)
            let digest = Digest.sha256(of: file)
            #expect(try await bench.send(bench.request(.HEAD, "/api/blobs/\(digest)")).status == 200)
            let text = ByteBuffer(string: "text")
            let other = Digest.sha256(of: text)
            #expect(try await bench.send(bench.request(.HEAD, "/api/blobs/\(other)")).status == 404)
            #expect(try await bench.post("/api/blobs/\(other)", "text").status == 201)
            #expect(try await bench.send(bench.request(.HEAD, "/api/blobs/\(other)")).status == 200)
            #expect(try await bench.post("/api/blobs/\(digest)", "text").status == 400)
            #expect(try await bench.post("/api/blobs/nonsense", "text").status == 400)
            let made = try await bench.post(
                "/api/create", #"{"model":"made","files":{"m.gguf":"\#(digest)"},"stream":false}"#)
            #expect(try made.json == ["status": "success"], "\(made.text)")
            let wrong = try await bench.post("/api/create", #"{"model":"made","files":{"m":"\#(other)"}}"#)
            #expect(wrong.status == 400)
            let weights = try bench.store.model(named: "made").manifest.layers.map(\.digest)
            #expect(weights.contains(digest))
        }
    }

    @Test func modelsAreLoadedAndUnloadedByWhoSaysNothing() async throws {
        try await Bench.run { bench in
            let loaded = try await bench.post("/api/generate", #"{"model":"pebble","keep_alive":-1}"#).json
            #expect(loaded["done_reason"] == "load" && loaded["response"] == "")
            let running = try await bench.get("/api/ps").json["models"]?.array
            #expect(running?.map { $0["name"] } == ["pebble:latest"])
            let first = try #require(running?.first)
            #expect(first["expires_at"] == "2318-12-31T23:59:59Z" && first["context_length"] == 2048)
            let files = Int(try bench.store.model(named: "pebble").size)
            #expect(first["size"]?.int ?? 0 > files && first["size_vram"] == 0, "\(first.text)")
            #expect(first["details"]?["quantization_level"] == "Q8_0" && first["digest"]?.string?.count == 64)
            let unloaded = try await bench.post("/api/chat", #"{"model":"pebble","messages":[],"keep_alive":"0s"}"#)
                .json
            #expect(unloaded["done_reason"] == "unload" && unloaded["message"]?["content"] == "")
            try await bench.waitForRunners { $0.isEmpty }
            #expect(try await bench.post("/api/chat", #"{"model":"pebble","keep_alive":"soon"}"#).status == 400)
        }
    }

    @Test func pullsTellOfThemselvesInOllamasWords() async throws {
        try await FakeRegistry.run { registry in
            let name = "\(registry.address)/demo/pebble:v1"
            try await Bench.run { bench in
                #expect(
                    try await bench.post("/api/copy", #"{"source":"pebble","destination":"\#(name)"}"#).status == 200)
                let pushed = try await bench.post("/api/push", #"{"model":"\#(name)"}"#)
                #expect(pushed.text.hasSuffix("{\"status\":\"success\"}\n"), "\(pushed.text)")
                _ = try await bench.send(bench.request(.DELETE, "/models/\(name)"))
                _ = try await bench.send(bench.request(.DELETE, "/models/pebble?force"))
                let pulled = try await bench.post("/api/pull", #"{"model":"\#(name)"}"#)
                let lines = try pulled.text.split(separator: "\n").map { try JSON(parsing: $0) }
                #expect(lines.first == ["status": "pulling manifest"] && lines.last == ["status": "success"])
                let progress = lines.filter { $0["digest"] != nil }.last
                #expect(progress?["status"]?.string?.hasPrefix("pulling ") == true)
                #expect(progress?["total"]?.int == progress?["completed"]?.int)
                let again = try await bench.post("/api/pull", #"{"model":"\#(name)","stream":false}"#)
                #expect(try again.json == ["status": "success"])
                let missing = try await bench.post("/api/pull", #"{"model":"\#(registry.address)/no/such"}"#)
                #expect(missing.status == 404)
                #expect(try missing.json["error"]?.string != nil)
            }
        }
    }

    @Test func modelsAreListedForAnthropicsClientsToo() async throws {
        try await Bench.run { bench in
            var request = bench.request(.GET, "/v1/models")
            request.headers.add(name: "anthropic-version", value: "2023-06-01")
            let list = try await bench.send(request).json
            #expect(list["data"]?.array?.first?["type"] == "model" && list["has_more"] == false)
            #expect(try await bench.get("/anthropic/v1/models").json == list)
            #expect(try await bench.get("/anthropic/v1/models/pebble").json == list["data"]?.array?.first)
        }
    }
}
