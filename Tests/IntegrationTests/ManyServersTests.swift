import AsyncHTTPClient
import Core
import DockerEngine
import Gateway
import MCP
import NIOCore
import Subprocess
import Synchronization
import SystemPackage
import TestSupport
import Testing
import Toolkit

extension Integration {
    /// Several real servers at once, and what happens to them: names, failures, deaths, idleness, orphans.
    @Suite(.enabled(if: RealParts.isThere), .serialized, .timeLimit(.minutes(5))) struct ManyServersTests {
        private func catalog(_ entries: String) throws -> Catalog {
            try Catalog(parsing: ByteBuffer(string: "registry:\n" + entries), source: "test")
        }

        private static let image = "wharf/demo-tools:latest"

        private func echo(_ gateway: Gateway, _ name: String) async throws -> String {
            let params = RawJSON(["name": .string(name), "arguments": ["text": "hi"]])
            return ToolResult(try await gateway.call(name, params: params)).text
        }

        private struct Silent: Peer.Handler {
            func admit(_ request: RPC.Request, from peer: Peer) throws(RPC.Error) -> Peer.Admission {
                throw .methodNotFound(request.method)
            }
            func receive(_ notification: RPC.Notification, from peer: Peer) async {}
        }

        /// Runs `body` as one more client of a gateway.
        private func asClient<R: Sendable>(
            of gateway: Gateway, _ body: @escaping @Sendable (Client) async throws -> R
        ) async throws -> R {
            let (near, far) = MemoryTransport.pair()
            async let served: Void = gateway.serve(over: far)
            let result = try await Peer.run(over: near, handler: Silent()) { peer in
                try await body(try await Client(over: peer, name: "test", version: "1"))
            }
            try await served
            return result
        }

        private func container(_ engine: Engine, _ server: String) async throws -> String? {
            try await engine.listContainers(labels: ["docker-mcp": "true", "docker-mcp-name": server], all: false)
                .compactMap { $0["Id"]?.string }.first
        }

        @Test func sessionsShareAContainerOnlyWhereTheEntrySaysStateless() async throws {
            let servers = try catalog(
                "  shared-a: {image: '\(Self.image)', stateless: true}\n  shared-b: {image: '\(Self.image)'}\n"
            ).servers
            let settings = GatewaySettings()
            let count: @Sendable (Engine, String) async throws -> Int = { engine, server in
                try await engine.listContainers(labels: ["docker-mcp-name": server], all: true).count
            }
            try await withEngine { engine in
                try await Gateway.run(servers: servers, settings: settings, engine: engine) { gateway in
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for _ in 0..<3 {
                            group.addTask {
                                let texts = try await asClient(of: gateway) { client in
                                    #expect(try await client.tools().count == 10)
                                    var texts: [String] = []
                                    for name in ["shared-a__echo", "shared-b__echo"] {
                                        let call = RawJSON(["name": .string(name), "arguments": ["text": "hi"]])
                                        texts.append(ToolResult(try await client.callTool(call)).text)
                                    }
                                    #expect(try await count(engine, "shared-a") == 1)
                                    return texts
                                }
                                #expect(texts == ["hi", "hi"])
                            }
                        }
                        try await group.waitForAll()
                    }
                    #expect(try await count(engine, "shared-a") == 1)
                    #expect(try await count(engine, "shared-b") == 0)
                }
                #expect(try await count(engine, "shared-a") == 0)
            }
        }

        @Test func clashingNamesAreTwoToolsAndABrokenServerIsOnlyMissing() async throws {
            let servers = try catalog(
                "  many-a: {image: '\(Self.image)'}\n  many-b: {image: '\(Self.image)', prefix: bee}\n"
                    + "  many-c: {image: '127.0.0.1:1/none:1'}\n"
            ).servers
            let failures = Mutex<[String]>([])
            var settings = GatewaySettings()
            settings.listPatience = .seconds(60)
            let patient = settings
            try await withEngine { engine in
                try await Gateway.run(
                    servers: servers, settings: patient, engine: engine,
                    onEvent: { event in
                        if case .failed(let server, let reason) = event {
                            failures.withLock { $0.append("\(server): \(reason)") }
                        }
                    },
                    { gateway in
                        let names = try await gateway.surface().tools.map(\.name)
                        #expect(names.count == 10)
                        #expect(names.contains("echo") && names.contains("bee__echo"), "\(names)")
                        #expect(try await echo(gateway, "bee__echo") == "hi")
                        #expect(try await echo(gateway, "echo") == "hi")
                        try await gateway.waitUntilReady()
                    })
            }
            #expect(failures.withLock { $0.count } == 1)
            #expect(failures.withLock { $0.first?.contains("127.0.0.1:1/none:1") } == true)
        }

        @Test func aServerThatDiesIsStartedAgain() async throws {
            let servers = try catalog("  mortal: {image: '\(Self.image)'}\n").servers
            try await withEngine { engine in
                try await Gateway.run(servers: servers, engine: engine) { gateway in
                    #expect(try await echo(gateway, "echo") == "hi")
                    let first = try #require(try await container(engine, "mortal"))
                    try await engine.removeContainer(first, force: true)
                    try await eventually("a call works again") { (try? await echo(gateway, "echo")) == "hi" }
                    let second = try #require(try await container(engine, "mortal"))
                    #expect(first != second)
                }
                #expect(try await container(engine, "mortal") == nil)
            }
        }

        @Test func aServerThatNobodyUsesIsStoppedAndComesBack() async throws {
            let servers = try catalog("  sleepy: {image: '\(Self.image)'}\n").servers
            var settings = GatewaySettings()
            settings.idleTimeout = .milliseconds(300)
            let chosen = settings
            try await withEngine { engine in
                try await Gateway.run(servers: servers, settings: chosen, engine: engine) { gateway in
                    #expect(try await echo(gateway, "echo") == "hi")
                    try await eventually("it is stopped") { try await container(engine, "sleepy") == nil }
                    // Its tools are still listed, and a call wakes it.
                    #expect(try await gateway.surface().tools.count == 5)
                    #expect(try await echo(gateway, "echo") == "hi")
                }
                #expect(try await container(engine, "sleepy") == nil)
            }
        }

        /// A container of a process that is gone is removed by the next gateway; one of a living process is not.
        @Test func whatAKilledGatewayLeftIsSweptUp() async throws {
            let place = try #require(ProcessIdentity.current)
            try await withEngine { engine in
                func leftover(_ owner: String) async throws -> String {
                    var spec = ContainerSpec(image: Self.image)
                    spec.labels = ["docker-mcp": "true", "docker-mcp-name": "leftover", "dev.wharf.owner": owner]
                    spec.networkMode = "none"
                    return try await engine.createContainer(spec, name: "docker-mcp-leftover-\(Files.unique())")
                }
                let dead = try await leftover("\(place.place)/\(place.number)/1/x")
                let living = try await leftover("\(place)/x")
                let elsewhere = try await leftover("elsewhere/1/1/x")
                let servers = try catalog("  sweeper: {image: '\(Self.image)'}\n").servers
                try await Gateway.run(servers: servers, engine: engine) { gateway in
                    try await gateway.waitUntilReady()
                    try await eventually("the dead one's is gone") {
                        let ids = try await engine.listContainers(labels: ["docker-mcp-name": "leftover"], all: true)
                        return !ids.contains { $0["Id"]?.string == dead }
                    }
                }
                for id in [living, elsewhere] {
                    _ = try await engine.inspectContainer(id)
                    try await engine.removeContainer(id, force: true)
                }
            }
        }

        @Test func theLimitsAreTheUsers() async throws {
            let servers = try catalog("  small: {image: '\(Self.image)'}\n").servers
            var settings = GatewaySettings()
            settings.cpus = 2
            settings.memory = 256 << 20
            settings.filter = ToolFilter(patterns: ["small:echo", "ADD"])
            let chosen = settings
            try await withEngine { engine in
                try await Gateway.run(servers: servers, settings: chosen, engine: engine) { gateway in
                    #expect(try await gateway.surface().tools.map(\.name) == ["add", "echo"])
                    let id = try #require(try await container(engine, "small"))
                    let host = try await engine.inspectContainer(id)["HostConfig"]
                    #expect(host?["NanoCpus"]?.int == 2_000_000_000)
                    #expect(host?["Memory"]?.int == 256 << 20)
                    let failure = await #expect(throws: Failure.self) { try await echo(gateway, "get_time") }
                    #expect(failure?.code == .notFound)
                }
            }
        }

        @Test(
            arguments: [
                (["ls"], 0, "5 tools:\n - read_file - Reads a text file.", ""), (["count"], 0, "5 tools\n", ""),
                (["count", "--format", "json"], 0, #"{"count":5}"# + "\n", ""),
                (["call", "add", "a=2", "b=3"], 0, "5\n", ""),
                (["call", "add", "a=2", "b=x"], 1, "", "b must be of type integer"),
                (["call", "nothing"], 1, "", "tool nothing not found"),
                (["call", "read_file", "path=none"], 1, "", "error calling tool read_file: "),
                (
                    ["inspect", "add"], 0,
                    "Name: add\nDescription: Adds two whole numbers.\nArguments:\n  a (integer, required)", ""
                ),
                (["count", "--tools", "add,echo"], 0, "2 tools\n", ""),
            ] as [([String], Int, String, String)])
        func toolsFromTheCommandLine(_ arguments: [String], _ status: Int, _ out: String, _ err: String) async throws {
            try await Workplace.with { place in
                let outcome = try await place.run(
                    RealParts.path("WHARF_BIN"), ["mcp", "tools"] + arguments + ["--servers", "demo-tools"])
                #expect(outcome.status == status, "\(outcome.text)")
                #expect(outcome.out.hasPrefix(out), "\(outcome.text)")
                #expect(outcome.err.contains(err), "\(outcome.text)")
            }
        }

        @Test func aDryRunStartsListsAndEnds() async throws {
            try await Workplace.with { place in
                let outcome = try await place.run(
                    RealParts.path("WHARF_BIN"), ["mcp", "gateway", "run", "--dry-run", "--servers", "demo-tools"])
                #expect(outcome.status == 0, "\(outcome.text)")
                for text in [
                    "Those servers are enabled: demo-tools", "demo-tools: (5 tools)", "Initialized in",
                    "Dry run mode enabled",
                ] {
                    #expect(outcome.err.contains(text), "\(outcome.text)")
                }
                #expect(outcome.out.isEmpty)
            }
        }
    }
}
