import AsyncHTTPClient
import Core
import NIOCore
import NIOHTTP1
import TestSupport
import Testing

@testable import RunnerAPI

@Suite(.timeLimit(.minutes(2))) struct RouteTests {
    @Test func whatIsThere() async throws {
        try await Bench.run { bench in
            #expect(try await bench.get("/").text == "Docker Model Runner is running\n")
            #expect(try await bench.get("/version").json["version"] == "1.2.3")
            let status = try await bench.get("/engines/status").json["llama.cpp"]?.string
            #expect(status?.hasPrefix("Running: llama.cpp fake (1), on the CPU: ") == true, "\(status ?? "")")
            let models = try await bench.get("/models").json.array ?? []
            #expect(models.map { $0["tags"] } == [["docker.io/ai/pebble:latest"]])
            for name in ["pebble", "ai/pebble:latest", "docker.io/ai/pebble:latest", "ai%2Fpebble"] {
                #expect(try await bench.get("/models/\(name)").json == models.first, "\(name)")
            }
            let list = try await bench.get("/v1/models").json
            #expect(list["object"]?.string == "list")
            let entry = list["data"]?.array?.first
            #expect(entry?["id"]?.string == "docker.io/ai/pebble:latest" && entry?["owned_by"]?.string == "docker")
            #expect(entry?["dmr"]?["context_window"]?.int == 2048)
            #expect(try await bench.get("/engines/llama.cpp/v1/models/ai/pebble:latest").json == entry)
            let missing = try await bench.get("/models/nothing")
            #expect(missing.status == 404 && missing.text.hasPrefix("model not found: nothing"))
            let unknown = try await bench.get("/nowhere")
            #expect(unknown.status == 404 && unknown.text == "404 page not found\n")
        }
    }

    struct Refusal: Sendable {
        let path: String
        let body: String
        let status: Int
        let message: String
        var code: JSON = nil
    }

    static let refusals = [
        Refusal(path: "/v1/chat/completions", body: "{\"model\":", status: 400, message: "invalid request"),
        Refusal(path: "/v1/chat/completions", body: "[]", status: 400, message: "invalid request: not a JSON object"),
        Refusal(path: "/v1/chat/completions", body: "", status: 400, message: "invalid request"),
        Refusal(path: "/v1/chat/completions", body: "{}", status: 400, message: "model is required"),
        Refusal(path: "/v1/chat/completions", body: "{\"model\":7}", status: 400, message: "model is required"),
        Refusal(path: "/v1/chat/completions", body: "{\"model\":\"\"}", status: 400, message: "model is required"),
        Refusal(
            path: "/engines/v1/chat/completions", body: "{\"model\":\"nix\"}", status: 404,
            message: "model not found: nix",
            code: "model_not_found"),
        Refusal(path: "/engines/v1/embeddings", body: "{\"model\":\"a b\"}", status: 400, message: ""),
        Refusal(
            path: "/v1/chat/completions", body: #"{"model":"pebble","messages":[]}"#, status: 400,
            message: "messages is empty"),
        Refusal(path: "/v1/rerank", body: #"{"model":"pebble"}"#, status: 400, message: "query is required"),
        Refusal(path: "/score", body: #"{"model":"pebble"}"#, status: 400, message: "text_1 is required"),
        Refusal(path: "/v1/responses", body: #"{"model":"pebble"}"#, status: 400, message: "input is empty"),
        Refusal(
            path: "/v1/responses", body: #"{"model":"pebble","input":"x","previous_response_id":"resp_none"}"#,
            status: 404, message: "response not found: resp_none", code: "response_not_found"),
        Refusal(
            path: "/engines/other/v1/completions", body: "{\"model\":\"pebble\"}", status: 404,
            message: "backend not found",
            code: "model_not_found"),
        Refusal(path: "/v1/audio/speech", body: "{}", status: 404, message: "unknown route POST /v1/audio/speech"),
    ]

    @Test func refusalsHaveTheShapeOfOpenAI() async throws {
        try await Bench.run { bench in
            for refusal in Self.refusals {
                let answer = try await bench.post(refusal.path, refusal.body)
                let error = try answer.json["error"]
                #expect(answer.status == refusal.status, "\(refusal)")
                #expect(error?["message"]?.string?.hasPrefix(refusal.message) == true, "\(refusal) \(answer.text)")
                #expect(error?["type"]?.string == "invalid_request_error")
                #expect(error?["code"] == refusal.code, "\(refusal)")
            }
            #expect(try bench.engine.count("start") == 0)
        }
    }

    @Test func preloadShowAndUnload() async throws {
        try await Bench.run { bench in
            let loaded = try await bench.post(
                "/engines/v1/chat/completions", #"{"model":"pebble","messages":[]}"#,
                headers: [("X-Preload-Only", "true")])
            #expect(loaded.status == 200 && loaded.body.readableBytes == 0)
            #expect(try bench.engine.count("request") == 0)
            let arguments = try bench.engine.journal().first?["arguments"]?.array?.compactMap(\.string) ?? []
            #expect(arguments.starts(with: ["--threads-http", "64", "-ngl", "999", "--metrics", "--model"]))
            #expect(arguments.suffix(3) == ["--ctx-size", "2048", "--jinja"])

            _ = try await bench.post("/v1/embeddings", #"{"model":"pebble","input":"x"}"#)
            let runners = try await bench.get("/engines/ps").json.array ?? []
            #expect(runners.map { $0["mode"]?.string } == ["completion", "embedding"])
            #expect(runners.allSatisfy { $0["model_name"]?.string == "docker.io/ai/pebble:latest" })
            #expect(runners.allSatisfy { $0["keep_alive"]?.string == "5m0s" && $0["loading"]?.bool == false })
            let starts = try bench.engine.journal().compactMap { $0["arguments"]?.array?.compactMap(\.string) }
            // Pebble was not made for embeddings and does not say how they are made.
            #expect(
                starts.contains { $0.contains("--embeddings") && $0.joined(separator: " ").contains("--pooling mean") })

            #expect(try await bench.post("/engines/unload", #"{"models":["other"]}"#).json == ["unloaded_runners": 0])
            #expect(try await bench.post("/engines/unload", #"{"models":["pebble"]}"#).json == ["unloaded_runners": 2])
            #expect(try await bench.post("/engines/unload", #"{"all":true}"#).json == ["unloaded_runners": 0])
            #expect(try await bench.post("/engines/unload", "nonsense").status == 400)
        }
    }

    @Test func theWayOfAModel() async throws {
        try await FakeRegistry.run { registry in
            let address = registry.address
            try await Bench.run { bench in
                let name = "\(address)/demo/pebble"
                let tagged = try await bench.send(bench.request(.POST, "/models/pebble/tag?repo=\(name)&tag=v1"))
                #expect(tagged.status == 201)
                #expect(
                    try tagged.json == [
                        "message": "Model \"pebble\" tagged successfully with \"\(name):v1\"", "target": "\(name):v1",
                    ])
                #expect(try await bench.send(bench.request(.POST, "/models/pebble/tag?repo=x")).status == 400)
                let pushed = try await bench.post(
                    "/models/\(name):v1/push", "", headers: [("accept", "application/json")])
                #expect(pushed.text.hasSuffix("{\"type\":\"success\",\"message\":\"Model pushed successfully\"}\n"))
                let removed = try await bench.send(bench.request(.DELETE, "/models/\(name):v1")).json
                #expect(removed == [["Untagged": "\(name):v1"]])
                let deleted = try await bench.send(bench.request(.DELETE, "/models/pebble?force")).json.array
                #expect(deleted?.count == 2 && deleted?.last?["Deleted"] != nil)

                let pulled = try await bench.post(
                    "/models/create", #"{"from":"\#(name):v1"}"#, headers: [("accept", "application/json")])
                #expect(pulled.headers["content-type"] == ["application/json"])
                let progress = try lines(pulled)
                #expect(progress.last == ["type": "success", "message": "Model pulled successfully"])
                #expect(progress.first?["type"] == "progress" && progress.first?["mode"] == "pull")
                #expect(progress.first?["layer"]?["id"]?.string?.hasPrefix("sha256:") == true)
                #expect(progress.dropLast().last?["message"]?.string == "Downloaded: 1.16 MB")

                let again = try await bench.post("/models/create", #"{"from":"\#(name):v1"}"#)
                #expect(again.headers["content-type"] == ["text/plain; charset=utf-8"])
                #expect(
                    again.text
                        == "{&#34;type&#34;:&#34;success&#34;,&#34;message&#34;:&#34;Using cached model: 1.22MB&#34;}\n"
                )

                // Another name for what is here already is no download, and no model that was known before.
                _ = try await bench.send(bench.request(.POST, "/models/\(name):v1/tag?repo=\(name)&tag=v2"))
                _ = try await bench.post("/models/\(name):v2/push", "")
                _ = try await bench.send(bench.request(.DELETE, "/models/\(name):v2"))
                let other = try await bench.post(
                    "/models/create", #"{"from":"\#(name):v2"}"#, headers: [("accept", "application/json")])
                #expect(
                    try lines(other) == [
                        [
                            "type": "success",
                            "message": "Model pulled successfully; all of its files were here already",
                        ]
                    ])

                #expect(try await bench.post("/models/create", #"{"from":"\#(address)/no/such"}"#).status == 404)
                #expect(try await bench.post("/models/create", #"{"from":"a b"}"#).status == 400)
                #expect(try await bench.post("/models/create", "x").status == 400)
                #expect(try await bench.post("/models/pebble/explode", "").text == "unknown action \"explode\"\n")
                #expect(try await bench.post("/models/nothing/push", "").status == 404)
                #expect(try await bench.send(bench.request(.DELETE, "/models/nothing")).status == 404)
            }
        }
    }

    @Test func aModelIsRepackaged() async throws {
        try await Bench.run { bench in
            let answer = try await bench.post(
                "/models/pebble/repackage", #"{"target":"mine:small","context_size":64}"#)
            #expect(answer.status == 201)
            #expect(try answer.json["source"] == "pebble" && answer.json["target"] == "mine:small")
            let model = try await bench.send(bench.request(.GET, "/models/mine:small")).json
            #expect(model["config"]?["context_size"] == 64)
            #expect(try await bench.post("/models/pebble/repackage", "{}").text == "target is required\n")
            for (name, body, status) in [
                ("pebble", #"{"target":""}"#, 400), ("pebble", "x", 400),
                ("pebble", #"{"target":"y","context_size":0}"#, 400),
                ("pebble", #"{"target":"y","context_size":"1"}"#, 400), ("none", #"{"target":"y"}"#, 404),
            ] {
                #expect(try await bench.post("/models/\(name)/repackage", body).status == status, "\(body)")
            }
        }
    }

    private func lines(_ answer: Bench.Answer) throws -> [JSON] {
        try answer.text.split(separator: "\n").map { try JSON(parsing: $0) }
    }
}
