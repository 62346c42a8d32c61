import Core
import NIOCore
import SystemPackage
import Testing

extension Integration {
    /// Everything that a client and a server of PyPI's `mcp` can say to each other, with the gateway between them.
    @Suite(.enabled(if: RealParts.isThere), .serialized, .timeLimit(.minutes(5))) struct FeatureTests {
        /// The server in a container: the image of another one of PyPI's, with our program in it.
        private static let image = """
            id=$(docker create --network none wharf/mcp-server-time)
            docker cp "$0" "$id:/app/features_server.py"
            docker commit -c 'ENTRYPOINT ["python3", "/app/features_server.py"]' "$id" wharf/test-features:latest
            docker rm "$id"
            """

        @Test(arguments: ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
        func everyFeatureComesThrough(_ revision: String) async throws {
            try await Workplace.with { place in
                let clients = RealParts.repository.appending("Tests/Clients")
                let built = try await place.run(
                    "/bin/sh", ["-ec", Self.image, clients.appending("features_server.py").string])
                try #require(built.status == 0, "\(built.text)")
                let catalog = place.folder.appending("catalog.yaml")
                try Files.write(
                    ByteBuffer(string: "registry: {features: {image: 'wharf/test-features:latest'}}\n"), to: catalog)
                let outcome = try await place.run(
                    RealParts.path("WHARF_CLIENTS_PYTHON"),
                    [
                        clients.appending("mcp_features.py").string, "--revision", revision, "--",
                        RealParts.path("WHARF_BIN"), "mcp", "gateway", "run", "--catalog", catalog.string, "--servers",
                        "features",
                    ])
                let seen = try #require(try? JSON(parsing: outcome.out), "\(outcome.text)")
                let knowsStructure = revision >= "2025-06-18"
                let expected: JSON = [
                    "revision": .string(revision),
                    "tools": [
                        "echo", "count", "ask", "sample", "roots", "slow", "was_cancelled", "touch", "fail", "visit",
                        "visited",
                        "roots_changes",
                    ],
                    "prompts": ["greet"], "resources": ["memo://one"], "templates": ["memo://{name}"], "text": "héllo",
                    "echo": knowsStructure
                        ? ["text", "resource_link", "audio"]
                        : ["text", "text", revision == "2024-11-05" ? "text" : "audio"],
                    "structured": knowsStructure ? ["text": "héllo"] : .null, "count": "counted",
                    "sample": "sampled", "roots": "file:///work", "failed": true, "unknown": ["code": -32602],
                    "read": ["of memo://two"], "prompt": "Hello you",
                    "completed": [["alpha", "alto"], ["alpha", "alto"]], "cancelled": "1", "touch": "touched",
                    "roots_changes": "1",
                    "visit": revision == "2025-11-25" ? [-32042, ["https://example.com/x"]] : .null,
                    "completions": revision == "2025-11-25" ? ["visit-1"] : [],
                    "logs": [["warning", ["loud": true]]], "updated": ["memo://one"],
                    "progress": .array(
                        (1...3).map { .array([.number("\($0).0"), .number("3.0"), .string("step \($0)")]) }),
                ]
                for (name, value) in expected.object?.members ?? [] {
                    #expect(
                        seen[name] == value, "\(name): \(seen[name]?.text ?? "nothing"); \(outcome.err.suffix(600))")
                }
                let capabilities = seen["capabilities"]?.array?.compactMap(\.string) ?? []
                #expect(Set(["logging", "prompts", "resources", "tools"]).isSubset(of: capabilities))
                // The server asks nothing of a client that has not declared it, and older ones do not.
                #expect(seen["ask"] == (knowsStructure ? "accept: this one" : ["code": -32601]), "\(seen.text)")
            }
        }
    }
}
