import AsyncHTTPClient
import Core
import DockerEngine
import NIOCore
import NIOHTTP1
import Subprocess
import SystemPackage
import Testing

extension Integration {
    /// The gateway over HTTP with real containers and a client that is not ours.
    @Suite(.enabled(if: RealParts.isThere), .serialized, .timeLimit(.minutes(5))) struct HTTPGatewayTests {
        private static let token = "a-token-of-the-tests"

        private func containers(_ engine: Engine) async throws -> Set<String> {
            let ours = ["docker-mcp": "true", "docker-mcp-name": "demo-tools"]
            return Set(try await engine.listContainers(labels: ours, all: true).compactMap { $0["Id"]?.string })
        }

        private func status(
            _ method: HTTPMethod, _ url: String, _ headers: HTTPHeaders = [:], body: String? = nil
        ) async throws -> Int {
            var request = HTTPClientRequest(url: url)
            request.method = method
            request.headers = headers
            if let body { request.body = .bytes(ByteBuffer(string: body)) }
            return Int(try await HTTPClient.shared.execute(request, timeout: .seconds(10)).status.code)
        }

        /// A gateway that is ready, at `base`; it is told to end afterwards, and must leave no container.
        private func withGateway(
            _ transport: String, options: @escaping @Sendable (Workplace) async throws -> [String] = { _ in [] },
            says: String = "> Use Bearer token from MCP_GATEWAY_AUTH_TOKEN environment variable",
            _ body: @escaping @Sendable (_ place: Workplace, _ base: String) async throws -> Void
        ) async throws {
            try await Workplace.with { place in
                try await withEngine { engine in
                    let before = try await containers(engine)
                    let port = try await Workplace.freePort()
                    let base = "http://127.0.0.1:\(port)"
                    // stderr where stdout would be, so that there is one stream to read.
                    let script = #"exec "$@" 2>&1"#
                    let command =
                        [
                            "-c", script, "sh", try RealParts.path("WHARF_BIN"), "mcp", "gateway", "run", "--servers",
                            "demo-tools", "--transport", transport, "--port", "\(port)",
                        ] + (try await options(place))
                    _ = try await Subprocess.run(
                        .path("/bin/sh"), arguments: Arguments(command),
                        environment: place.variables(["MCP_GATEWAY_AUTH_TOKEN": Self.token]), input: .inputWriter,
                        output: .sequence, error: .discarded
                    ) { execution in
                        if !command.contains("--tls-key") {
                            try await eventually("the gateway is ready") {
                                (try? await status(.GET, base + "/ready")) == 200
                            }
                        }
                        let outcome: Result<Void, any Error>
                        do { outcome = .success(try await body(place, base)) } catch { outcome = .failure(error) }
                        POSIX.send(signal: 15, to: execution.processIdentifier.value)
                        var text = ""
                        for try await chunk in execution.standardOutput {
                            let bytes = chunk.withUnsafeBytes { ByteBuffer(bytes: $0) }
                            text += String(buffer: bytes)
                        }
                        let said = text
                        #expect(said.contains(says), "\(said)")
                        #expect(said.contains("demo-tools: (5 tools)"), "\(said)")
                        #expect(!said.contains(Self.token), "\(said)")
                        try outcome.get()
                    }
                    try await eventually("no container is left") {
                        try await containers(engine).subtracting(before).isEmpty
                    }
                }
            }
        }

        @Test(arguments: [("streaming", "/mcp"), ("sse", "/sse")])
        func pythonsClientListsAndCalls(transport: String, path: String) async throws {
            try await withGateway(transport) { (place, base) async throws in
                let script = RealParts.repository.appending("Tests/Clients/mcp_http_client.py").string
                let outcome = try await place.run(
                    RealParts.path("WHARF_CLIENTS_PYTHON"), [script, transport, base + path],
                    ["MCP_GATEWAY_AUTH_TOKEN": Self.token])
                let report = try JSON(parsing: outcome.out)
                for mode in ["auto", "legacy"] {
                    let seen = try #require(report[mode])
                    #expect(seen["error"] == nil, "\(mode): \(outcome.text)")
                    // By the older transport only the handshake is spoken.
                    let isModern = mode == "auto" && transport == "streaming"
                    #expect(seen["protocolVersion"]?.string == (isModern ? "2026-07-28" : "2025-11-25"))
                    #expect(seen["server"]?.string == "Wharf MCP Gateway")
                    #expect(seen["tools"]?.array?.count == 5)
                    #expect(seen["add"]?.string == "5")
                    #expect(seen["parallel"] == true)
                    #expect(seen["afterCancel"]?.string == "still here")
                }
            }
        }

        @Test func whoLacksTheTokenOrComesFromElsewhereGetsNothing() async throws {
            try await withGateway("Streamable-HTTP") { (_, base) async throws in
                let bearer = ("authorization", "Bearer \(Self.token)")
                let address = base + "/mcp"
                #expect(try await status(.POST, address) == 401)
                #expect(try await status(.POST, address, ["authorization": "Bearer wrong"]) == 401)
                #expect(try await status(.GET, address, HTTPHeaders([bearer])) == 400)
                #expect(try await status(.GET, address, HTTPHeaders([bearer, ("host", "evil.example")])) == 403)
                #expect(
                    try await status(.GET, address, HTTPHeaders([bearer, ("origin", "http://evil.example")])) == 403)
                #expect(try await status(.GET, base + "/elsewhere", HTTPHeaders([bearer])) == 404)
            }
        }

        @Test func everyUserHasServersAndARateOfTheirOwn() async throws {
            let options: @Sendable (Workplace) async throws -> [String] = { place in
                let file = place.folder.appending("tokens.yaml")
                let text = """
                    alice: {secret: token-of-alice, servers: [demo-tools]}
                    bob: {secret: token-of-bob, servers: [time], rate: 2/h}
                    """
                try Files.write(ByteBuffer(string: text), to: file, mode: 0o600)
                return ["--tokens", file.string]
            }
            try await withGateway("http", options: options, says: "> Use a Bearer token of ") {
                (place, base) async throws in
                func answer(_ user: String, _ path: String) async throws -> Int {
                    try await status(.POST, base + path, ["authorization": "Bearer token-of-\(user)"], body: "{}")
                }
                // Let in, and told what is wrong with the message.
                #expect(try await answer("alice", "/servers/demo-tools/mcp") == 415)
                #expect(try await answer("bob", "/servers/demo-tools/mcp") == 404)
                #expect(try await answer("bob", "/servers/time/mcp") == 404, "it does not run")
                #expect(try await answer("eve", "/mcp") == 401)
                #expect(try await status(.POST, base + "/mcp", ["authorization": "Bearer \(Self.token)"]) == 401)
                #expect(
                    try await [answer("bob", "/mcp"), answer("bob", "/mcp"), answer("bob", "/mcp")] == [415, 415, 429])
                #expect(try await answer("alice", "/mcp") == 415)
                // Whose tokens count is what the file says now; what cannot be used changes nothing.
                let file = place.folder.appending("tokens.yaml")
                try Files.write(ByteBuffer(string: "alice: {secrets: misspelt}"), to: file, mode: 0o600)
                try Files.write(
                    ByteBuffer(string: "eve: {secret: token-of-eve, servers: [demo-tools]}"), to: file, mode: 0o600)
                try await eventually("another token counts") { try await answer("eve", "/mcp") == 415 }
                #expect(try await answer("alice", "/mcp") == 401)
            }
        }

        @Test func connectionsMayBeEncrypted() async throws {
            let options: @Sendable (Workplace) async throws -> [String] = { place in
                let (chain, key) = try await place.certificate()
                return ["--tls-certificate", chain.string, "--tls-key", key.string]
            }
            try await withGateway("http", options: options) { (place, base) async throws in
                let address = "https://localhost:" + (base.split(separator: ":").last ?? "")
                let script = """
                    import ssl, sys, urllib.request
                    context = ssl.create_default_context(cafile=sys.argv[1])
                    print(urllib.request.urlopen(sys.argv[2], context=context).status)
                    """
                func isReady() async throws -> Bool {
                    let words = ["-c", script, place.folder.appending("chain.pem").string, address + "/ready"]
                    return try await place.run(RealParts.path("WHARF_CLIENTS_PYTHON"), words).out == "200\n"
                }
                try await eventually("the gateway is ready") { try await isReady() }
                // Another certificate in the same files is shown without a restart.
                _ = try await place.certificate()
                try await eventually("the new certificate is shown") { try await isReady() }
            }
        }

        @Test func aSessionThatIsOpenWhenTheGatewayEndsLeavesNoContainer() async throws {
            try await withGateway("http") { (_, base) async throws in
                let opened = try await status(
                    .POST, base + "/mcp",
                    [
                        "authorization": "Bearer \(Self.token)", "content-type": "application/json",
                        "accept": "application/json, text/event-stream",
                    ],
                    body: """
                        {"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18",\
                        "capabilities":{},"clientInfo":{"name":"test","version":"1"}}}
                        """)
                #expect(opened == 200)
                try await withEngine { engine in
                    try await eventually("its container runs") { try await !containers(engine).isEmpty }
                }
            }
        }

        @Test(arguments: [
            (
                ["--transport", "carrier-pigeon"],
                "unknown transport \"carrier-pigeon\", expected stdio, sse or streaming"
            ),
            (["--port", "8811"], "cannot use --port with --transport=stdio"),
            (["--transport", "http", "--port", "99999"], "99999 is no port. Ports go from 1 to 65535."),
        ])
        func mistakesAreToldBeforeAnythingStarts(arguments: [String], message: String) async throws {
            try await Workplace.with { place in
                let outcome = try await place.run(
                    RealParts.path("WHARF_BIN"), ["mcp", "gateway", "run", "--servers", "demo-tools"] + arguments)
                #expect(outcome.status == 1)
                #expect(outcome.err == message + "\n", "\(outcome.text)")
            }
        }
    }
}
