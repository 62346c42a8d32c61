import AsyncHTTPClient
import Core
import DockerEngine
import SystemPackage
import Testing

extension Integration {
    /// Somebody else's agent with our model and our tools: it knows neither, only the two protocols.
    @Suite(.enabled(if: RealParts.isThere), .serialized, .timeLimit(.minutes(5))) struct LangChainTests {
        struct Case: Sendable {
            let prompt: String
            let tool: String
            let arguments: JSON
            let result: String
            let answer: String
        }

        static let cases = [
            Case(
                prompt: "Read the file readme.md", tool: "read_file", arguments: ["path": "readme.md"],
                result: "hello world", answer: "The file readme.md: hello world."),
            Case(
                prompt: "Add 40 and 2", tool: "add", arguments: ["a": 40, "b": 2], result: "42", answer: "The sum: 42."),
            Case(
                prompt: "Echo purple tiger", tool: "echo", arguments: ["text": "purple tiger"], result: "purple tiger",
                answer: "The echo: purple tiger."),
        ]

        @Test func anAgentAnswersByWayOfTheTools() async throws {
            try await Workplace.with { place in
                let packaged = try await place.model("package", "--gguf", RealParts.pebble.string, "pebble")
                try #require(packaged.status == 0, "\(packaged.text)")
                // Any answer will do: the command has started the daemon that the agent asks.
                _ = try await place.model("run", "pebble", "Hello")
                let script = RealParts.repository.appending("Tests/Clients/langchain_agent.py").string
                let asks = Self.cases.flatMap { ["--ask", $0.prompt] }
                let command = [
                    "--", try RealParts.path("WHARF_BIN"), "mcp", "gateway", "run", "--servers", "demo-tools",
                ]
                let outcome = try await place.run(
                    RealParts.path("WHARF_AGENT_PYTHON"),
                    [script, "\(place.base)/engines/v1", "ai/pebble"] + asks + command)
                try #require(outcome.status == 0, "\(outcome.text)")
                let report = try JSON(parsing: outcome.out)
                #expect(report["tools"]?.array?.count == 5)
                let asked = try #require(report["asked"]?.array)
                try #require(asked.count == Self.cases.count)
                for (given, seen) in zip(Self.cases, asked) {
                    #expect(
                        seen["calls"] == [["name": .string(given.tool), "arguments": given.arguments]], "\(seen.text)")
                    #expect(seen["results"] == [["text": .string(given.result), "status": "success"]], "\(seen.text)")
                    #expect(seen["answer"]?.string == given.answer, "\(seen.text)")
                    // The gateway's own word that the call reached the container.
                    #expect(outcome.err.contains("demo-tools: \(given.tool) answered"), "\(outcome.text)")
                }
                try await expectNoContainer(of: outcome.err)
            }
        }

        /// The container that the gateway named when it started it is gone.
        private func expectNoContainer(of said: String) async throws {
            let mark = "Running demo-tools in container "
            let rest = try #require(said.split(separator: mark).dropFirst().first, "\(said)")
            let container = String(rest.prefix(while: \.isHexDigit))
            try #require(container.count == 12, "\(said)")
            let client = HTTPClient(eventLoopGroupProvider: .singleton)
            let result: Result<Void, any Error>
            do {
                let engine = try await Engine.connect(client: client, endpoint: .resolve(paths: Paths()))
                try await eventually("the container \(container) is gone") {
                    do {
                        _ = try await engine.inspectContainer(container)
                        return false
                    } catch let failure as Failure where failure.code == .notFound { return true }
                }
                result = .success(())
            } catch { result = .failure(error) }
            try await client.shutdown()
            try result.get()
        }
    }
}
