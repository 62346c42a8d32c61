import AsyncHTTPClient
import Core
import NIOCore
import NIOHTTP1
import Subprocess
import SystemPackage
import Testing

extension Integration {
    /// PyPI's `mcp` on both ends: clients that ask first, clients of either protocol only; servers of both, and of one only;
    /// by pipes and by HTTP. Whatever speaks to whatever, every feature comes through.
    @Suite(.enabled(if: RealParts.isThere), .serialized, .timeLimit(.minutes(5))) struct EraMatrixTests {
        private static let token = "a-token-of-the-tests"
        private static let modes = ["auto": "2026-07-28", "legacy": "2025-11-25", "2026-07-28": "2026-07-28"]

        /// The server in a container: the image of another one of PyPI's, with our program in it.
        private static let image = """
            id=$(docker create --network none wharf/mcp-server-time)
            docker cp "$0" "$id:/app/mcp_era_server.py"
            docker commit -c 'ENTRYPOINT ["python3", "/app/mcp_era_server.py"]' "$id" wharf/test-era:latest
            docker rm "$id"
            """

        /// What each client sees, whatever it and the server speak.
        private static let expected: JSON = [
            "lists": [
                ["add", "ended", "hang", "look", "paint", "think", "touch", "work"], ["greet"], ["note://one"],
                ["note://by/{name}"],
            ],
            "call": ["sum": 5], "read": "the note", "prompt": "Greet Ann.", "complete": ["anna"],
            "progress": ["worked", ["step 1", "step 2", "step 3"]], "logs": ["warning almost done"],
            "elicit": "painted blue", "sample": "the model says Say hello!", "roots": "roots file:///work",
            "subscribe": "note://one", "cancel": true,
        ]

        private func check(_ outcome: Workplace.Outcome, _ text: String) throws {
            let reports = try #require(try? JSON(parsing: outcome.out), "\(outcome.text)\n\(text.suffix(2000))")
            for (mode, revision) in Self.modes {
                let seen = reports[mode] ?? .null
                #expect(seen["version"]?.string == revision, "\(mode): \(seen.text)\n\(outcome.err.suffix(1000))")
                for (feature, value) in Self.expected.object?.members ?? [] {
                    let given = seen[feature]?.text ?? "nothing"
                    #expect(seen[feature] == value, "\(mode), \(feature): \(given)\n\(text.suffix(1000))")
                }
            }
        }

        func answers(_ url: String, _ status: UInt) async -> Bool {
            (try? await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(5)))?.status.code
                == status
        }

        /// A place whose catalog has the server, in a container or at an address.
        func withServer(
            _ era: String, _ transport: String,
            _ body: @escaping @Sendable (_ place: Workplace, _ gateway: [String]) async throws -> Void
        ) async throws {
            let server = RealParts.repository.appending("Tests/Clients/mcp_era_server.py").string
            try await Workplace.with { place in
                let catalog = place.folder.appending("catalog.yaml")
                var gateway = [
                    try RealParts.path("WHARF_BIN"), "mcp", "gateway", "run", "--catalog", catalog.string, "--servers",
                    "era",
                ]
                guard transport != "stdio" else {
                    let built = try await place.run("/bin/sh", ["-ec", Self.image, server])
                    try #require(built.status == 0, "\(built.text)")
                    let entry = "registry: {era: {image: 'wharf/test-era:latest', command: [\(era), stdio]}}\n"
                    try Files.write(ByteBuffer(string: entry), to: catalog)
                    return try await body(place, gateway)
                }
                let port = try await Workplace.freePort()
                let way =
                    transport == "sse" ? "sse', transport_type: sse" : "mcp', transport_type: streamable-http"
                let entry = "registry: {era: {remote: {url: 'http://127.0.0.1:\(port)/\(way)}}}\n"
                try Files.write(ByteBuffer(string: entry), to: catalog)
                gateway += ["--allow-private-network", "era"]
                let command = gateway
                let python = try RealParts.path("WHARF_CLIENTS_PYTHON")
                _ = try await beside(place, [python, "-W", "ignore", server, era, transport, "\(port)"]) {
                    try await eventually("the server is there") {
                        (try? await HTTPClient.shared.execute(
                            HTTPClientRequest(url: "http://127.0.0.1:\(port)/"), timeout: .seconds(5))) != nil
                    }
                    try await body(place, command)
                }
            }
        }

        private static let client = RealParts.repository.appending("Tests/Clients/mcp_era_client.py").string

        @Test(
            arguments: [
                ("both", "stdio"), ("legacy", "stdio"), ("modern", "stdio"), ("both", "http"), ("legacy", "http"),
                ("modern", "http"), ("legacy", "sse"),
            ])
        func everyClientUsesEveryServerByHTTP(_ era: String, _ transport: String) async throws {
            try await withServer(era, transport) { (place, gateway) async throws in
                let port = try await Workplace.freePort()
                let base = "http://127.0.0.1:\(port)"
                let command = gateway + ["--transport", "streaming", "--port", "\(port)"]
                let variables = ["MCP_GATEWAY_AUTH_TOKEN": Self.token]
                let report = Promise<Workplace.Outcome>()
                let status = Promise<String>()
                let text = try await beside(place, command, variables) {
                    try await eventually("the gateway is ready") { await answers(base + "/ready", 200) }
                    let words = ["-W", "ignore", Self.client, Self.modes.keys.sorted().joined(separator: ","), "http"]
                    report.fulfil(
                        .success(
                            try await place.run(
                                RealParts.path("WHARF_CLIENTS_PYTHON"), words + [base + "/mcp"], variables)))
                    status.fulfil(.success(try await place.wharf("mcp", "gateway", "status", "--json").out))
                }
                try check(try await report.value, text)
                // What is told of a server is what was found out about it.
                let told = try JSON(parsing: try await status.value).array?.first
                let server = told?["servers"]?.array?.first
                let isModern = era != "legacy"
                #expect(server?["era"]?.string == (isModern ? "modern" : "handshake"), "\(told?.text ?? "")")
                #expect(server?["revision"]?.string == (isModern ? "2026-07-28" : "2025-11-25"))
            }
        }

        /// A server that keeps silent about what it does not know is asked to initialize after 50 ms, and in its second
        /// life nothing else. What the test allows beyond that is the machine's.
        @Test func aSilentServerDelaysNobodyForLong() async throws {
            try await withServer("silent", "http") { (place, gateway) async throws in
                for life in 1...2 {
                    let outcome = try await place.run(
                        gateway[0],
                        ["mcp", "tools", "call", "asked", "--format", "json"] + gateway.dropFirst(4))
                    let result = try JSON(parsing: outcome.out)
                    let asked = try #require(result["content"]?.array?.first?["text"]?.string, "\(outcome.text)")
                    let questions = asked.split(separator: " ").map { $0.split(separator: "=") }
                    let methods = questions.map { String($0[0]) }
                    #expect(methods.prefix(2) == ["server/discover", "initialize"], "\(asked)")
                    #expect(methods.dropFirst(2).allSatisfy { $0 == "initialize" }, "\(asked)")
                    #expect(methods.count > life, "\(asked)")
                    #expect((Int(questions[1][1]) ?? .max) < 1000, "\(asked)")
                }
            }
        }

        @Test(arguments: ["both", "legacy", "modern"])
        func everyClientUsesEveryServerByPipes(_ era: String) async throws {
            try await withServer(era, "stdio") { (place, gateway) async throws in
                let words = ["-W", "ignore", Self.client, Self.modes.keys.sorted().joined(separator: ","), "stdio"]
                let outcome = try await place.run(RealParts.path("WHARF_CLIENTS_PYTHON"), words + gateway)
                try check(outcome, outcome.err)
            }
        }
    }
}
