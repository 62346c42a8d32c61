import AsyncHTTPClient
import Core
import DockerEngine
import Gateway
import MCP
import NIOCore
import SystemPackage
import Testing
import Toolkit

extension Integration {
    /// The engine goes away and comes back under a running gateway. Against a private engine, which only root may start.
    @Suite(.enabled(if: RealParts.isThere && POSIX.userID == 0), .timeLimit(.minutes(5))) struct DockerdRestartTests {
        @Test func theGatewayOutlivesTheEngine() async throws {
            try await Workplace.with { place in
                let folder = place.folder.appending("dockerd").string
                let script = RealParts.repository.appending("scripts/dockerd").string
                // An engine that answers would be used as it is; this one must be another.
                let alone = ["DOCKER_HOST": "unix:///nowhere.sock"]
                let started = try await place.run(script, ["start", folder], alone)
                try #require(started.status == 0, "\(started.text)")
                let host = try #require(started.lines.last.map(String.init))
                let built = try await place.run(
                    RealParts.repository.appending("scripts/build-demo-image").string, [],
                    ["DOCKER_HOST": host, "WHARF_BIN": try RealParts.path("WHARF_BIN")])
                try #require(built.status == 0, "\(built.text)")

                let client = HTTPClient(eventLoopGroupProvider: .singleton)
                let outcome: Result<Void, any Error>
                do {
                    let engine = try await Engine.connect(client: client, endpoint: EngineEndpoint(parsing: host))
                    let servers = try Catalog.builtin().servers.filter { $0.name == "demo-tools" }
                    try await Gateway.run(servers: servers, engine: engine) { gateway in
                        let call = RawJSON(["name": "echo", "arguments": ["text": "hi"]])
                        #expect(ToolResult(try await gateway.call("echo", params: call)).text == "hi")
                        #expect(try await place.run(script, ["stop", folder], alone).status == 0)
                        // Now a call fails, or waits for the engine; it does not hang the gateway or end it.
                        let again = try await place.run(script, ["start", folder], alone)
                        #expect(again.lines.last.map(String.init) == host, "\(again.text)")
                        try await eventually(within: .seconds(60), "a call works again") {
                            guard let result = try? await gateway.call("echo", params: call) else { return false }
                            return ToolResult(result).text == "hi"
                        }
                        let left = try await engine.listContainers(labels: ["docker-mcp": "true"], all: true)
                        #expect(left.count == 1)
                    }
                    #expect(try await engine.listContainers(labels: ["docker-mcp": "true"], all: true).isEmpty)
                    outcome = .success(())
                } catch { outcome = .failure(error) }
                try await client.shutdown()
                _ = try await place.run(script, ["stop", folder], alone)
                try outcome.get()
            }
        }
    }
}
