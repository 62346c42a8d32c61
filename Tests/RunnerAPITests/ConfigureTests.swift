import Core
import Inference
import ModelStore
import NIOCore
import NIOHTTP1
import TestSupport
import Testing

@testable import RunnerAPI

@Suite(.timeLimit(.minutes(2))) struct ConfigureTests {
    private func words(_ bench: Bench) throws -> String {
        let start = try #require(bench.engine.journal().last { $0["event"]?.string == "start" })
        return (start["arguments"]?.array ?? []).compactMap(\.string).joined(separator: " ")
    }

    private func shown(_ bench: Bench) async throws -> JSON? {
        try await bench.get("/engines/_configure?model=pebble").json.array?.first
    }

    @Test func whatIsConfiguredReachesTheEngine() async throws {
        try await Bench.run { bench in
            try await bench.store.package(gguf: Bench.model, as: ModelReference(parsing: "small"), contextSize: 128)
            let first = try await bench.post(
                "/engines/_configure",
                #"{"model":"pebble","context-size":512,"runtime-flags":["--temp","0.7"],"keep_alive":"-1"}"#)
            #expect(first.status == 202 && first.text.isEmpty, "\(first.text)")
            let second = try await bench.post(
                "/engines/llama.cpp/_configure",
                #"{"model":"ai/pebble:latest","slots":2,"speculative":{"draft_model":"small","num_tokens":4},"#
                    + #""llamacpp":{"reasoning-budget":0}}"#)
            #expect(second.status == 202, "\(second.text)")
            let config = try await shown(bench)
            #expect(config?["Backend"] == "llama.cpp" && config?["Model"] == "docker.io/ai/pebble:latest")
            #expect(config?["Mode"] == "completion" && config?["Config"]?["context-size"] == 512)
            _ = try await bench.send(bench.chat("echo"))
            let arguments = try words(bench)
            #expect(arguments.contains("--ctx-size 1024 --parallel 2"), "\(arguments)")
            #expect(arguments.contains("--reasoning-budget 0") && arguments.hasSuffix("--jinja --temp 0.7"))
            #expect(arguments.contains("--model-draft ") && arguments.contains("--spec-draft-n-max 4"))
            let runner = try await bench.get("/engines/ps").json.array?.first
            #expect(runner?["keep_alive"] == "-1" && runner?["context_size"] == 512 && runner?["slots"] == 2)
            #expect(runner?["runtime_flags"] == ["--temp", "0.7"])
            #expect(try await bench.get("/models/pebble").json["configuration"]?["slots"] == 2)
            let models = try await bench.get("/models").json.array ?? []
            #expect(models.compactMap { $0["configuration"] }.count == 1)
            // An idle runner goes when it is configured otherwise; null takes a decision back.
            let third = try await bench.post(
                "/engines/_configure", #"{"model":"pebble","speculative":null,"context-size":null}"#)
            #expect(third.status == 202)
            try await bench.waitForRunners { $0.isEmpty }
            _ = try await bench.send(bench.chat("echo"))
            let later = try words(bench)
            #expect(later.contains("--ctx-size 4096 --parallel 2") && !later.contains("--model-draft"), "\(later)")
        }
    }

    @Test func whatIsOnlyAboutTimeDoesNotUnload() async throws {
        try await Bench.run { bench in
            _ = try await bench.send(bench.chat("echo"))
            #expect(
                try await bench.post("/engines/_configure", #"{"model":"pebble","keep_alive":"1h"}"#).status == 202)
            _ = try await bench.send(bench.chat("echo"))
            #expect(try bench.engine.count("start") == 1)
            #expect(try await bench.get("/engines/ps").json.array?.first?["keep_alive"] == "1h0m0s")
        }
    }

    @Test func whatIsBusyIsNotChanged() async throws {
        try await Bench.run { bench in
            try await withThrowingTaskGroup(of: Void.self) { group in
                let hanging = bench.chat("hang")
                group.addTask { _ = try? await bench.send(hanging) }
                try await bench.engine.wait(for: "hanging")
                let answer = try await bench.post("/engines/_configure", #"{"model":"pebble","context-size":512}"#)
                #expect(answer.status == 409 && answer.text.hasPrefix("runner already active: "), "\(answer.text)")
                #expect(try await shown(bench) == nil)
                group.cancelAll()
            }
        }
    }

    @Test(arguments: [
        ("{", 400, "invalid request body"), ("[]", 400, "invalid request body"), ("{}", 400, "model is required"),
        (#"{"model":"nix"}"#, 404, "model not found: nix"),
        (#"{"model":"pebble","runtime-flags":["--model","x"]}"#, 400, "the runtime flag \"--model\" is not allowed"),
        (#"{"model":"pebble","raw-runtime-flags":"--temp=/etc/passwd"}"#, 400, "the runtime flag"),
        (#"{"model":"pebble","context-size":-7}"#, 400, "context-size cannot be -7"),
        (#"{"model":"pebble","speculative":{"draft_model":"nix"}}"#, 404, "the draft model nix cannot be used"),
        (#"{"model":"pebble","keep_alive":"soon"}"#, 400, "keep_alive cannot be \"soon\""),
    ])
    func whatCannotBeIsRefused(_ body: String, _ status: Int, _ text: String) async throws {
        try await Bench.run { bench in
            let answer = try await bench.post("/engines/_configure", body)
            #expect(answer.status == status && answer.text.hasPrefix(text), "\(answer.status) \(answer.text)")
            #expect(try await bench.get("/engines/_configure").json == [])
            #expect(try await bench.post("/engines/nix/_configure", #"{"model":"pebble"}"#).status == 404)
        }
    }

    @Test func aModelThatIsRemovedIsForgotten() async throws {
        try await Bench.run { bench in
            _ = try await bench.post("/engines/_configure", #"{"model":"pebble","slots":2}"#)
            #expect(try await shown(bench) != nil)
            #expect(try await bench.send(bench.request(.DELETE, "/models/pebble")).status == 200)
            #expect(try await bench.get("/engines/_configure").json == [])
        }
    }
}

@Suite struct ContextTests {
    @Test(
        arguments: [
            (nil, nil, nil, .automatic(upTo: 8192)), (131_072, nil, nil, .automatic(upTo: 8192)),
            // Packaged with all it was made for, which nobody has chosen.
            (131_072, 131_072, nil, .automatic(upTo: 8192)), (131_072, 4096, nil, .automatic(upTo: 4096)),
            (2048, nil, nil, .automatic(upTo: 2048)), (nil, 4096, nil, .automatic(upTo: 4096)),
            (2048, nil, 65536, .fixed(65536)), (2048, nil, -1, .fixed(2048)), (nil, nil, -1, .maximum),
        ] as [(Int?, Int?, Int?, EngineConfiguration.Context)])
    func theContext(
        trained: Int?, packaged: Int?, wanted: Int?, expected: EngineConfiguration.Context
    ) {
        var config = ModelConfig()
        config.architecture = "llama"
        config.contextSize = packaged
        if let trained { config.gguf["llama.context_length"] = String(trained) }
        #expect(LoadPlanner.context(config, wanted) == expected)
    }
}
