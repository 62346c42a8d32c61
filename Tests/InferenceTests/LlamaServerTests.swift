import Core
import NIOCore
import SystemPackage
import Testing

@testable import Inference

@Suite struct LlamaServerTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var mode = Load.Mode.completion
        var template: FilePath?
        var projector: FilePath?
        var context = EngineConfiguration.Context.maximum
        var slots: Int?
        var flags: [String] = []
        var reasoning: Int?
        var draft: Load.Draft?
        var speculation: EngineConfiguration.Speculation?
        var pooling: String?
        var base: String?
        var adapters: [FilePath] = []
        var parameters: [String: String] = [:]
        let expected: String
    }

    /// What every load begins with.
    static let start = "--threads-http 64 -ngl 999 --metrics --model /m.gguf --alias x --host /s.sock"

    static let cases = [
        Case(testDescription: "the model's own maximum", expected: "\(start) --ctx-size 0 --jinja"),
        Case(
            testDescription: "template and context", template: "/t.jinja", context: .fixed(4096),
            expected: "\(start) --chat-template-file /t.jinja --ctx-size 4096 --jinja"),
        Case(
            testDescription: "every slot has a whole context", context: .automatic(upTo: 2048), slots: 3,
            expected: "\(start) --ctx-size 6144 --parallel 3 --jinja"),
        Case(
            testDescription: "embeddings have no template, and a batch that holds a text", mode: .embedding,
            template: "/t.jinja", context: .fixed(512), reasoning: 0,
            expected: "\(start) --embeddings --ctx-size 512 --batch-size 512 --ubatch-size 512 --jinja"),
        Case(
            testDescription: "embeddings of a model that was not made for them", mode: .embedding, pooling: "mean",
            expected: "\(start) --embeddings --pooling mean --ctx-size 0 --jinja"),
        Case(
            testDescription: "reranking", mode: .reranking,
            expected: "\(start) --embeddings --reranking --ctx-size 0 --jinja"),
        Case(
            testDescription: "pictures keep jinja", projector: "/p.gguf",
            expected: "\(start) --ctx-size 0 --mmproj /p.gguf --jinja"),
        Case(
            testDescription: "own base", base: #"--threads 2 --grammar "a b" --lora ''"#,
            expected: "--threads-http 64 --threads 2 --grammar a b --lora  --model /m.gguf --alias x --host /s.sock"
                + " --ctx-size 0 --jinja"
        ),
        Case(
            testDescription: "adapters in their order", adapters: ["/b.gguf", "/a.gguf"],
            expected: "\(start) --ctx-size 0 --lora /b.gguf --lora /a.gguf --jinja"),
        Case(
            testDescription: "sampling, and nothing that is no number or no option of ours",
            parameters: [
                "seed": "7", "temperature": "0.5", "top_k": "40", "num_predict": "-1", "min_p": "--host",
                "top_p": "nan",
                "model": "1", "num_gpu": "1",
            ],
            expected: "\(start) --temp 0.5 --top-k 40 --seed 7 --predict -1 --ctx-size 0 --jinja"),
        Case(
            testDescription: "a seed of -1 is the engine's own way", parameters: ["seed": "-1"],
            expected: "\(start) --ctx-size 0 --jinja"),
        Case(
            testDescription: "embeddings are not sampled", mode: .embedding, parameters: ["temperature": "1"],
            expected: "\(start) --embeddings --ctx-size 0 --jinja"),
        Case(
            testDescription: "what is configured comes last", flags: ["--temp", "0.1"], reasoning: -1,
            expected: "\(start) --reasoning-budget -1 --ctx-size 0 --jinja --temp 0.1"),
        Case(
            testDescription: "a model that guesses ahead", draft: .init(modelID: "d", weights: "/d.gguf"),
            speculation: .init(maximumTokens: 8, minimumProbability: 0.5),
            expected: "\(start) --ctx-size 0 --model-draft /d.gguf --spec-draft-n-max 8 --spec-draft-p-min 0.5 --jinja"),
        Case(
            testDescription: "only text is guessed ahead", mode: .embedding,
            draft: .init(modelID: "d", weights: "/d.gguf"), expected: "\(start) --embeddings --ctx-size 0 --jinja"),
    ]

    @Test(arguments: cases) func arguments(_ test: Case) throws {
        let load = Load(
            backend: "llama.cpp", modelID: "x", modelName: "x", mode: test.mode,
            files: .init(
                weights: "/m.gguf", chatTemplate: test.template, multimodalProjector: test.projector,
                adapters: test.adapters),
            draft: test.draft,
            configuration: .init(
                context: test.context, slots: test.slots, runtimeFlags: test.flags, reasoningBudget: test.reasoning,
                speculation: test.speculation, parameters: test.parameters, pooling: test.pooling))
        let arguments = try LlamaServer.arguments(
            for: load, context: load.contexts[0], socket: "/s.sock", base: test.base)
        #expect(arguments.joined(separator: " ") == test.expected)
    }

    @Test(arguments: [
        "--model x", "-m x", "--host=0.0.0.0", "-t 1 --port 1", "--embeddings", "--mmproj=/x", "'unclosed",
    ])
    func baseMayNotTakeOver(_ base: String) {
        let load = Load(backend: "llama.cpp", modelID: "x", modelName: "x", files: .init(weights: "/m.gguf"))
        #expect(throws: Failure.self) {
            try LlamaServer.arguments(for: load, context: nil, socket: "/s.sock", base: base)
        }
    }

    @Test(arguments: [
        ("a b", ["a", "b"]), ("", []), ("  a\t b  ", ["a", "b"]), (#"a'b c'"d e""#, ["ab cd e"]),
        (#"a\ b "\"" '\'"#, ["a b", "\"", "\\"]),
        ("'' x", ["", "x"]),
    ])
    func shellWords(line: String, words: [String]) throws { #expect(try ShellWords.split(line) == words) }

    @Test func environment() {
        let open = LlamaServer.environment(from: [
            "SWIFT_BACKTRACE": "x", "LLAMA_ARG_HOST": "0.0.0.0", "CUDA_VISIBLE_DEVICES": "1", "LLAMA_ARG_DEVICE": "d",
        ])
        #expect(open == ["CUDA_VISIBLE_DEVICES": "1", "LLAMA_ARG_DEVICE": "d"])
        let passive = LlamaServer.environment(from: ["WHARF_PASSIVE_OPENMP": "1"])
        #expect(passive["GOMP_SPINCOUNT"] == "0" && passive["OMP_WAIT_POLICY"] == "passive")
    }

    @Test func whereItIsLookedFor() throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "llama-")
        defer { try? Files.remove(folder) }
        func program(_ path: String) throws -> FilePath {
            let path = folder.appending(path)
            try Files.makeDirectory(path.removingLastComponent())
            try Files.write(ByteBuffer(string: "#!/bin/sh\n"), to: path, mode: 0o755)
            return path
        }
        func found(_ more: [String: String] = [:]) throws -> FilePath {
            let environment = ["HOME": folder.string, "PATH": "relative:\(folder)/path"].merging(more) { $1 }
            return try LlamaServer(paths: Paths(environment: environment)).executable()
        }
        let missing = #expect(throws: Failure.self) { try found() }
        #expect(missing?.code == .failedPrecondition)
        #expect(missing?.message == "backend \"llama.cpp\" is not installed")
        #expect(missing?.advice == "Run: docker model install-runner --backend llama.cpp")
        let inPath = try program("path/llama-server")
        #expect(try found() == inPath)
        let installed = try program(".docker/model-runner/llama.cpp/bin/llama-server")
        #expect(try found() == installed)
        let own = try program("own/llama-server")
        #expect(try found(["LLAMA_SERVER_PATH": "\(folder)/own"]) == own)
        #expect(try found(["LLAMA_SERVER_PATH": own.string]) == own)
        #expect(throws: Failure.self) { try found(["LLAMA_SERVER_PATH": "\(folder)/nowhere"]) }
    }
}
