import AsyncHTTPClient
import Core
import NIOCore
import NIOHTTP1
import Subprocess
import SystemPackage
import Testing

extension Integration {
    /// Servers that run elsewhere: PyPI's `mcp` on both ends, the gateway in the middle, HTTP all the way.
    @Suite(.enabled(if: RealParts.isThere), .serialized, .timeLimit(.minutes(5))) struct RemoteServerTests {
        private static let token = "a-token-of-the-tests"
        private static let revisions = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]

        private func answers(_ url: String, _ status: UInt) async -> Bool {
            (try? await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(5)))?.status.code
                == status
        }

        /// A gateway in front of a server of the kind; what both wrote is looked at afterwards.
        private func withGateway(
            before kind: String, entry: (_ port: Int) -> String, options: [String] = [],
            _ body: @escaping @Sendable (_ place: Workplace, _ base: String) async throws -> Void
        ) async throws {
            let server = RealParts.repository.appending("Tests/Clients/mcp_remote_server.py").string
            let python = try RealParts.path("WHARF_CLIENTS_PYTHON")
            let wharf = try RealParts.path("WHARF_BIN")
            try await Workplace.with { place in
                let far = try await Workplace.freePort()
                let port = try await Workplace.freePort()
                let catalog = place.folder.appending("catalog.yaml")
                let secrets = place.folder.appending("secrets")
                try Files.write(ByteBuffer(string: "registry:\n  far:\n\(entry(far))"), to: catalog)
                try Files.write(ByteBuffer(string: "far.key=k\n"), to: secrets)
                let command =
                    [
                        wharf, "mcp", "gateway", "run", "--catalog", catalog.string, "--servers", "far", "--secrets",
                        secrets.string, "--transport", "streaming", "--port", "\(port)",
                    ] + options
                _ = try await beside(place, [python, server, kind, "\(far)"]) {
                    try await eventually("the server is there") { await answers("http://127.0.0.1:\(far)/", 401) }
                    let text = try await beside(place, command, ["MCP_GATEWAY_AUTH_TOKEN": Self.token]) {
                        try await eventually("the gateway is ready") {
                            await answers("http://127.0.0.1:\(port)/ready", 200)
                        }
                        try await body(place, "http://127.0.0.1:\(port)")
                    }
                    #expect(!text.contains("WARNING") && !text.contains("Can't start"), "\(text)")
                }
            }
        }

        private static func entry(_ kind: String) -> (Int) -> String {
            { port in
                """
                    remote:
                      url: http://127.0.0.1:\(port)/\(kind == "sse" ? "sse" : "mcp")
                \(kind == "streaming" || kind == "sse" ? "" : "      transport_type: streamable-http\n")\
                      headers: {X-Key: "${KEY}"}
                    secrets: [{name: far.key, env: KEY}]

                """
            }
        }

        @Test(arguments: [
            ("streaming", "streaming", "/mcp"), ("streaming", "sse", "/sse"), ("json", "streaming", "/mcp"),
            ("resumable", "streaming", "/servers/far/mcp"), ("sse", "streaming", "/mcp"),
            ("sse", "sse", "/servers/far/sse"),
        ])
        func everyRevisionGoesThrough(kind: String, client: String, path: String) async throws {
            try await withGateway(
                before: kind, entry: Self.entry(kind), options: ["--allow-private-network", "far"]
            ) { (place, base) async throws in
                let script = RealParts.repository.appending("Tests/Clients/mcp_http_matrix.py").string
                let outcome = try await place.run(
                    RealParts.path("WHARF_CLIENTS_PYTHON"), [script, client, base + path, kind] + Self.revisions,
                    ["MCP_GATEWAY_AUTH_TOKEN": Self.token])
                let report = try JSON(parsing: outcome.out)
                for revision in Self.revisions {
                    let seen = try #require(report[revision])
                    #expect(seen["error"] == nil, "\(revision): \(outcome.text)")
                    #expect(seen["revision"]?.string == revision)
                    #expect(seen["tools"]?.array?.count == 8)
                    #expect(seen["add"]?.string == "5", "\(revision): \(outcome.text)")
                    #expect(seen["parallel"] == true)
                    #expect(seen["cancelled"] == true, "\(revision): \(outcome.text)")
                    #expect(seen["count"]?.string == "counted to 5")
                    // A server that answers with JSON has no way to say anything before.
                    if kind == "json" { continue }
                    #expect(seen["steps"]?.array?.count == 5, "\(revision): \(outcome.text)")
                    #expect(seen["logs"]?.int == 5, "\(revision): \(outcome.text)")
                    #expect(seen["think"]?.string == "aha", "\(revision): \(outcome.text)")
                    #expect(seen["roots"]?.string == "file:///project", "\(revision): \(outcome.text)")
                    if revision >= "2025-06-18" {
                        #expect(seen["ask"]?.string == "accept green", "\(revision): \(outcome.text)")
                    }
                    if kind == "resumable" { #expect(seen["leave"]?.string == "came back", "\(outcome.text)") }
                }
            }
        }

        /// By TLS, with a certificate that only the user's own authority vouches for; without that one nothing is asked.
        @Test func aServerBehindTLSIsBelievedByOnesOwnAuthority() async throws {
            let server = RealParts.repository.appending("Tests/Clients/mcp_remote_server.py").string
            try await Workplace.with { place in
                let (chain, key) = try await place.certificate()
                let port = try await Workplace.freePort()
                let (catalog, secrets) = (place.folder.appending("catalog.yaml"), place.folder.appending("secrets"))
                let entry = Self.entry("streaming")(port).replacing("http://127.0.0.1", with: "https://localhost")
                try Files.write(ByteBuffer(string: "registry:\n  far:\n" + entry), to: catalog)
                try Files.write(ByteBuffer(string: "far.key=k\n"), to: secrets)
                let words = [
                    try RealParts.path("WHARF_CLIENTS_PYTHON"), server, "streaming", "\(port)", chain.string,
                    key.string,
                ]
                _ = try await beside(place, words) {
                    func tools(_ extra: [String: String]) async throws -> Workplace.Outcome {
                        try await place.run(
                            RealParts.path("WHARF_BIN"),
                            [
                                "mcp", "gateway", "run", "--catalog", catalog.string, "--servers", "far", "--secrets",
                                secrets.string, "--allow-private-network", "far", "--dry-run",
                            ], extra)
                    }
                    let trusted = ["WHARF_MCP_CA": chain.string]
                    try await eventually("the server is there") { try await tools(trusted).status == 0 }
                    let seen = try await tools(trusted)
                    #expect(seen.err.contains("far: (8 tools)"), "\(seen.text)")
                    let refused = try await tools([:])
                    #expect(refused.status == 1, "\(refused.text)")
                    #expect(refused.err.contains("a certificate that is not trusted"), "\(refused.text)")
                }
            }
        }

        @Test func withoutTheGrantItIsRefused() async throws {
            try await Workplace.with { place in
                let catalog = place.folder.appending("catalog.yaml")
                try Files.write(ByteBuffer(string: "registry:\n  far:\n" + Self.entry("streaming")(1)), to: catalog)
                let outcome = try await place.run(
                    RealParts.path("WHARF_BIN"),
                    ["mcp", "gateway", "run", "--catalog", catalog.string, "--servers", "far", "--dry-run"])
                #expect(outcome.err.contains("127.0.0.1:1 is an address on this machine"), "\(outcome.text)")
                #expect(outcome.err.contains("docker mcp grants add --allow-private-network"), "\(outcome.text)")
                #expect(outcome.status == 1)
            }
        }
    }
}
