import AsyncHTTPClient
import Core
import DockerEngine
import NIOCore
import Subprocess
import SystemPackage
import Testing

extension Integration {
    /// The gateway with real containers, a real engine and a client that is not ours.
    @Suite(.enabled(if: RealParts.isThere), .serialized, .timeLimit(.minutes(5))) struct GatewayLineTests {
        /// A name of this suite's own: others run demo-tools at the same time.
        private static let name = "line-tools"
        private static let ours = ["docker-mcp": "true", "docker-mcp-name": name]

        private func catalog(_ place: Workplace) throws -> String {
            let path = place.folder.appending("line.yaml")
            try Files.write(
                ByteBuffer(string: "registry:\n  \(Self.name):\n    image: wharf/demo-tools:latest\n"), to: path)
            return path.string
        }

        /// Ids of all our server's containers.
        private func containers(_ engine: Engine) async throws -> Set<String> {
            Set(try await engine.listContainers(labels: Self.ours, all: true).compactMap { $0["Id"]?.string })
        }

        private static let initialize = """
            {"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},\
            "clientInfo":{"name":"test","version":"1"}}}
            {"jsonrpc":"2.0","method":"notifications/initialized"}
            {"jsonrpc":"2.0","id":2,"method":"tools/list"}

            """

        /// A gateway that has listed its tools, with its container's id; `body` ends it.
        private func withGateway(
            _ body: @escaping @Sendable (_ engine: Engine, _ container: String, _ pid: Int32) async throws -> Void
        ) async throws {
            try await Workplace.with { place in
                try await withEngine { engine in
                    let before = try await containers(engine)
                    _ = try await Subprocess.run(
                        .path(.init(RealParts.path("WHARF_BIN"))),
                        arguments: ["mcp", "gateway", "run", "--catalog", catalog(place), "--servers", Self.name],
                        environment: place.variables(),
                        input: .inputWriter, output: .sequence, error: .discarded
                    ) { execution in
                        _ = try await execution.standardInputWriter.write(Self.initialize)
                        var lines = LineSplitter(maximumLength: 1 << 20)
                        var answers: [JSON] = []
                        for try await chunk in execution.standardOutput {
                            let bytes = chunk.withUnsafeBytes { ByteBuffer(bytes: $0) }
                            answers += try lines.append(bytes).map { try JSON(parsing: $0) }
                            if answers.count == 2 { break }
                        }
                        #expect(answers.first?["result"]?["serverInfo"]?["name"]?.string == "Wharf MCP Gateway")
                        #expect(answers.last?["result"]?["tools"]?.array?.count == 5)
                        let id = try #require(try await containers(engine).subtracting(before).first)
                        try await body(engine, id, execution.processIdentifier.value)
                    }
                }
            }
        }

        private func isGone(_ engine: Engine, _ container: String) async throws -> Bool {
            do {
                _ = try await engine.inspectContainer(container)
                return false
            } catch let failure as Failure where failure.code == .notFound { return true }
        }

        @Test func aContainerGetsOnlyWhatItNeeds() async throws {
            try await withGateway { engine, id, pid in
                let container = try await engine.inspectContainer(id)
                let host = container["HostConfig"] ?? .null
                #expect(host["NanoCpus"]?.int == 1_000_000_000)
                #expect(host["Memory"]?.int == 2 << 30)
                #expect(host["MemorySwap"]?.int == 2 << 30)
                #expect(host["PidsLimit"]?.int == 256)
                #expect(host["NetworkMode"]?.string == "none")
                #expect(host["ReadonlyRootfs"] == true)
                #expect(host["Privileged"] == false)
                #expect(host["CapDrop"] == ["ALL"])
                #expect(host["SecurityOpt"] == ["no-new-privileges"])
                #expect(host["Init"] == true)
                #expect(host["AutoRemove"] == true)
                #expect(host["Binds"]?.array?.isEmpty ?? true)
                #expect(container["Mounts"]?.array?.isEmpty ?? true)
                let labels = container["Config"]?["Labels"] ?? .null
                #expect(labels["docker-mcp"]?.string == "true")
                #expect(labels["docker-mcp-tool-type"]?.string == "mcp")
                #expect(labels["docker-mcp-name"]?.string == Self.name)
                POSIX.send(signal: 15, to: pid)
            }
        }

        @Test(arguments: [15, 2, 9] as [Int32]) func nothingIsLeftAfterASignal(_ signal: Int32) async throws {
            try await withGateway { engine, id, pid in
                POSIX.send(signal: signal, to: pid)
                try await eventually("the container is gone after signal \(signal)") { try await isGone(engine, id) }
            }
        }

        @Test func pythonsClientListsAndCallsInBothModes() async throws {
            try await Workplace.with { place in
                let left = try await withEngine { engine in
                    let before = try await containers(engine)
                    let script = RealParts.repository.appending("Tests/Clients/mcp_client.py").string
                    let outcome = try await place.run(
                        RealParts.path("WHARF_CLIENTS_PYTHON"),
                        [
                            script, "--", RealParts.path("WHARF_BIN"), "mcp", "gateway", "run", "--catalog",
                            catalog(place),
                            "--servers", Self.name,
                        ])
                    let report = try JSON(parsing: outcome.out)
                    for mode in ["auto", "legacy"] {
                        let seen = try #require(report[mode])
                        #expect(seen["error"] == nil, "\(mode): \(seen.text)")
                        #expect(seen["serverInfo"]?["name"]?.string == "Wharf MCP Gateway", "\(mode): \(seen.text)")
                        #expect(seen["tools"]?.object?.members.count == 5)
                        let calls = seen["calls"] ?? .null
                        #expect(calls["read_file"]?["text"]?.string == "hello world")
                        #expect(calls["list_files"]?["text"]?.string?.contains("readme.md") == true)
                        #expect(calls["add"]?["text"]?.string == "5")
                        #expect(calls["echo"]?["text"]?.string == "hello world")
                        #expect(calls["get_time"]?["text"]?.string?.contains(":") == true)
                        #expect(seen["unknownTool"]?["code"]?.int == -32602)
                        #expect(seen["badArguments"]?["isError"] == true)
                        #expect(seen["parallel"]?["good"]?.int == 8, "\(mode): \(seen.text)")
                        #expect(seen["afterCancel"]?["isError"] == false)
                        #expect(seen["exit"]?.int == 0, "\(mode): \(seen.text)")
                    }
                    return try await containers(engine).subtracting(before)
                }
                #expect(left.isEmpty)
            }
        }

        @Test func anImageThatDoesNotExistEndsTheGatewayWithOneLine() async throws {
            try await Workplace.with { place in
                let catalog = place.folder.appending("catalog.yaml")
                try Files.write(
                    ByteBuffer(string: "registry:\n  ghost:\n    image: 127.0.0.1:1/no/such-image:1\n"), to: catalog)
                let outcome = try await place.run(
                    RealParts.path("WHARF_BIN"),
                    ["mcp", "gateway", "run", "--catalog", catalog.string, "--servers", "ghost"], input: Self.initialize
                )
                #expect(outcome.status == 1, "\(outcome.text)")
                let lines = outcome.err.split(separator: "\n")
                #expect(lines.last == "no MCP server could be started", "\(outcome.text)")
                let reasons = lines.filter { $0.contains("ghost") && $0.contains("127.0.0.1:1/no/such-image:1") }
                #expect(reasons.count == 1, "\(outcome.text)")
            }
        }

        @Test func theModelUsesTheToolsInTheContainer() async throws {
            try await Workplace.with { place in
                _ = try await place.model("package", "--gguf", RealParts.pebble.string, "pebble")
                let cases = [
                    ("Read the file readme.md", "The file readme.md: hello world.", "read_file"),
                    ("Add 2 and 3", "The sum: 5.", "add"), ("Echo hello", "The echo: hello.", "echo"),
                ]
                for (question, answer, tool) in cases {
                    let outcome = try await place.model("run", "--mcp", "demo-tools", "pebble", question)
                    #expect(outcome.out == answer + "\n", "\(outcome.text)")
                    #expect(outcome.err.contains("[tool] calling \(tool) "), "\(outcome.text)")
                    #expect(outcome.err.contains("removed"), "\(outcome.text)")
                    #expect(outcome.status == 0)
                }
            }
        }

        @Test func withoutAnEngineOneLineSaysWhatToDo() async throws {
            try await Workplace.with { place in
                let outcome = try await place.run(
                    RealParts.path("WHARF_BIN"), ["mcp", "gateway", "run", "--servers", "demo-tools"],
                    ["DOCKER_HOST": "unix:///nowhere.sock"])
                #expect(outcome.status == 1)
                #expect(outcome.err.contains("no Docker Engine answers at unix:///nowhere.sock"), "\(outcome.text)")
            }
        }
    }
}
