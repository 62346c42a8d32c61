import Core
import NIOCore
import SystemPackage
import Testing

@testable import Inference

@Suite struct DescribedBackendTests {
    private func backend(_ text: String, _ environment: [String: String] = ["PATH": "/usr/bin:/bin"]) throws
        -> DescribedBackend
    {
        DescribedBackend(try BackendDescription(JSON(parsing: text)), paths: Paths(environment: environment))
    }

    private func words(
        _ backend: DescribedBackend, mode: Load.Mode = .completion, _ configuration: EngineConfiguration = .init(),
        template: FilePath? = nil, draft: Load.Draft? = nil
    ) throws -> String {
        let load = Load(
            backend: backend.name, modelID: "sha256:1", modelName: "docker.io/ai/x:latest", mode: mode,
            files: .init(weights: "/m", chatTemplate: template), draft: draft, configuration: configuration)
        let address: EngineAddress = backend.listening == .unixSocket ? .unix("/s.sock") : .loopback(port: 4711)
        return try backend.command(for: load, context: 8192, at: address).arguments.joined(separator: " ")
    }

    @Test func conditionsAndPlaces() throws {
        let sh = try backend(
            """
            {"name":"x","program":"sh","arguments":["serve","{model}","--at=127.0.0.1:{port}",
            {"when":"context","arguments":["--context","{context}"]},{"when":"embedding","arguments":["--embed"]},
            {"when":"chat-template","arguments":["--template={chat-template}"]},
            {"when":"draft","arguments":["--draft","{draft}"]}],
            "environment":{"A":"b c"},"modes":["completion","embedding"],"runtime-flags":["--temp"],
            "served-name":"{id}","readiness":"/ready"}
            """)
        // What nobody has chosen is left to the server.
        #expect(try words(sh) == "serve /m --at=127.0.0.1:4711")
        #expect(
            try words(
                sh, mode: .embedding, .init(context: .fixed(99), runtimeFlags: ["--temp", "1"]), template: "/t {x}",
                draft: .init(modelID: "d", weights: "/d"))
                == "serve /m --at=127.0.0.1:4711 --context 99 --embed --template=/t {x} --draft /d --temp 1")
        let load = Load(backend: "x", modelID: "sha256:1", modelName: "n", files: .init(weights: "/m"))
        #expect(sh.servedName(load) == "sha256:1")
        let spec = try sh.command(for: load, context: nil, at: .loopback(port: 1))
        #expect(spec.readiness == "/ready" && spec.environment["A"] == "b c")
        #expect(throws: Failure.self) { try words(sh, mode: .reranking) }
        #expect(throws: Failure.self) { try sh.runtimeFlags.check(["--model"]) }
    }

    @Test(arguments: [
        ("[]", "it is no object"), (#"{"name":"x"}"#, "program is missing"),
        (#"{"name":"X","program":"p"}"#, "name must be"), (#"{"name":"../x","program":"p"}"#, "name must be"),
        (#"{"name":"x","program":"p","argument":[]}"#, #""argument" is no member"#),
        (#"{"name":"x","program":"p","arguments":["{modle}"]}"#, "{modle} stands for nothing"),
        (#"{"name":"x","program":"p","arguments":[1]}"#, "an argument must be"),
        (#"{"name":"x","program":"p","arguments":[{"when":"rain","arguments":[]}]}"#, "an argument must be"),
        (#"{"name":"x","program":"p","listens":"tcp"}"#, "listens must be"),
        (#"{"name":"x","program":"p","readiness":"health"}"#, "readiness must be"),
        (#"{"name":"x","program":"p","modes":["dream"]}"#, "modes must be"),
        (#"{"name":"x","program":"p","environment":{"A":1}}"#, "environment must hold"),
        (#"{"name":"x","program":"p","memory":{"factor":-1}}"#, "memory.factor must be"),
        (#"{"name":"x","program":"p","memory":{"base":"much"}}"#, "memory.base must be"),
        (#"{"name":"x","program":"p","memory":{"size":1}}"#, "memory must be"),
        (#"{"name":"x","program":"p","memory":1}"#, "memory must be"),
    ])
    func whatIsWrongIsNamed(_ text: String, _ message: String) {
        let failure = #expect(throws: Failure.self) { try backend(text) }
        #expect(failure?.message.hasPrefix(message) == true, "\(failure as Any)")
    }

    @Test(
        arguments: [
            ("{}", 1200), (#"{"factor":2}"#, 2000), (#"{"factor":0,"base":"3KiB"}"#, 3072),
            (#"{"base":"1kb"}"#, 2200),
        ] as [(String, Int64)])
    func whatItTakesIsEstimated(memory: String, bytes: Int64) throws {
        let described = try backend(#"{"name":"x","program":"p","memory":\#(memory)}"#)
        let estimate = try #require(described.memory(weights: 1000, placement: .host))
        #expect(estimate.memory(context: 4096) == Memory(host: bytes))
        #expect(estimate.corrected(by: .init(context: 0, bytes: 5000)).bytes(context: 1) == 5000)
    }

    @Test func aMissingProgramIsNamed() async throws {
        let missing = try backend(#"{"name":"x","program":"no-such-program","program-variable":"X_PATH"}"#)
        let failure = #expect(throws: Failure.self) { try missing.executable() }
        #expect(
            failure?.description
                == "backend \"x\" is not installed: there is no no-such-program. Install it so that it is in PATH, or "
                + "name it with X_PATH.")
        #expect(await missing.status() == .notInstalled("there is no no-such-program"))
        let named = try backend(
            #"{"name":"x","program":"sh","program-variable":"X_PATH"}"#, ["X_PATH": "/bin", "PATH": ""])
        #expect(try named.executable() == "/bin/sh")
    }

    @Test func whatIsBuiltInIsWholeAndFilesReplaceIt() async throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "backends-")
        defer { try? Files.remove(folder) }
        let paths = Paths(environment: ["HOME": folder.string])
        let builtIn = try DescribedBackend.all(paths)
        #expect(builtIn.map(\.name) == ["mlx", "sglang", "vllm"])
        let vllm = try #require(builtIn.last as? DescribedBackend)
        #expect(vllm.description.listening == .unixSocket && vllm.formats == ["safetensors"])
        try vllm.runtimeFlags.check(["--max-model-len", "100"])
        #expect(throws: Failure.self) { try vllm.runtimeFlags.check(["--trust-remote-code"]) }

        let own = DescribedBackend.folder(paths)
        try Files.makeDirectory(own)
        func write(_ name: String, _ text: String) throws {
            try Files.write(ByteBuffer(string: text), to: own.appending(name))
        }
        try write("a.json", #"{"name":"vllm","program":"mine"}"#)
        try write("b.json", #"{"name":"zoo","program":"zoo"}"#)
        try write("notes.txt", "not looked at")
        func programs(_ backends: [any Backend]) -> [String] {
            backends.compactMap { ($0 as? DescribedBackend)?.description.program }
        }
        let usable = ["mlx_lm.server", "sglang", "mine", "zoo"]
        #expect(programs(try DescribedBackend.all(paths)) == usable)

        // What is wrong is named, and keeps nobody else from being used.
        try write("c.json", #"{"name":"llama.cpp","program":"zoo"}"#)
        try write("d.json", "{")
        try Files.makeDirectory(own.appending("e.json"))
        let all = try DescribedBackend.all(paths)
        #expect(programs(all) == usable)
        let broken = all.compactMap { $0 as? BrokenBackend }
        #expect(broken.map(\.name) == ["c.json", "d.json", "e.json"])
        for backend in broken {
            let status = await backend.status().description
            #expect(status.hasPrefix("Error: cannot use the backend in \(own)/\(backend.name): "), "\(status)")
            #expect(throws: Failure.self) { try backend.executable() }
        }
    }
}
