import Core
import DockerEngine
import NIOCore
import SystemPackage
import Testing

extension Integration {
    /// The public reference servers from PyPI, in the images of `images/build`, under the strict defaults.
    @Suite(.enabled(if: RealParts.isThere), .serialized, .timeLimit(.minutes(5))) struct ReferenceServerTests {
        /// A server, tools that it must list, calls, and what must be in each call's answer.
        struct Case: Sendable, CustomTestStringConvertible {
            let server: String
            let tools: [String]
            let calls: String
            let answers: [String: String]

            var testDescription: String { server }
        }

        static let cases = [
            Case(
                server: "time", tools: ["get_current_time", "convert_time"],
                calls: """
                    [["convert_time",{"source_timezone":"Asia/Tokyo","time":"12:30","target_timezone":"Asia/Kolkata"}],\
                    ["get_current_time",{"timezone":"UTC"}]]
                    """,
                answers: ["convert_time": "T09:00:00+05:30", "get_current_time": "\"timezone\": \"UTC\""]),
            // Writing works too, inside the container.
            Case(
                server: "git", tools: ["git_status", "git_log", "git_diff", "git_commit", "git_show"],
                calls: """
                    [["git_log",{"repo_path":"/tmp/sample"}],\
                    ["git_create_branch",{"repo_path":"/tmp/sample","branch_name":"new"}],\
                    ["git_status",{"repo_path":"/tmp/sample"}]]
                    """,
                answers: ["git_log": "Say hello", "git_create_branch": "'new'", "git_status": "working tree clean"]),
        ]

        private func report(
            _ place: Workplace, _ server: String, calls: String, options: [String] = []
        ) async throws -> JSON {
            let outcome = try await place.run(
                RealParts.path("WHARF_CLIENTS_PYTHON"),
                [
                    RealParts.repository.appending("Tests/Clients/mcp_client.py").string, "--mode", "auto", "--calls",
                    calls,
                    "--", RealParts.path("WHARF_BIN"), "mcp", "gateway", "run", "--servers", server,
                ] + options)
            let seen = try #require(try JSON(parsing: outcome.out)["auto"], "\(outcome.text)")
            #expect(seen["error"] == nil, "\(seen.text)")
            #expect(seen["exit"]?.int == 0, "\(seen.text)")
            return seen
        }

        private func names(_ report: JSON) -> [String] { report["tools"]?.object?.members.map(\.name) ?? [] }

        @Test(arguments: cases) func listsAndAnswers(_ given: Case) async throws {
            try await Workplace.with { place in
                let seen = try await report(place, given.server, calls: given.calls)
                #expect(Set(given.tools).isSubset(of: names(seen)), "\(seen.text)")
                for (tool, part) in given.answers {
                    let answer = seen["calls"]?[tool] ?? .null
                    #expect(answer["isError"] == false, "\(tool): \(answer.text)")
                    #expect(answer["text"]?.string?.contains(part) == true, "\(tool): \(answer.text)")
                }
                // The clock goes on between calls, so answers of `time` may differ.
                if given.server != "time" {
                    #expect(seen["parallel"]?["good"] == seen["parallel"]?["sent"], "\(seen.text)")
                }
            }
        }

        /// It has no network, and says so by an error of the tool's; the gateway takes no harm.
        @Test func fetchListsItsToolAndFailsWithoutANetwork() async throws {
            try await Workplace.with { place in
                let seen = try await report(place, "fetch", calls: #"[["fetch",{"url":"https://docs.example.com/"}]]"#)
                #expect(names(seen) == ["fetch"])
                #expect(seen["calls"]?["fetch"]?["isError"] == true, "\(seen.text)")
            }
        }

        /// The network is that of a container with a web server in it, so that nothing leaves this machine.
        @Test func fetchFetchesOnANetworkThatIsGranted() async throws {
            try await Workplace.with { place in
                try await withEngine { engine in
                    var web = ContainerSpec(image: "wharf/mcp-server-fetch:latest")
                    web.entrypoint = ["python3"]
                    web.command = ["-c", Self.page]
                    web.networkMode = "none"
                    web.labels = ["dev.wharf.test": "web"]
                    // The server itself refuses addresses like this one unless told otherwise.
                    let catalog = place.folder.appending("catalog.yaml")
                    let entry = "{image: 'wharf/mcp-server-fetch:latest', command: [--allow-private-ips]}"
                    try Files.write(ByteBuffer(string: "registry: {fetch: \(entry)}\n"), to: catalog)
                    let id = try await engine.createContainer(web, name: "wharf-test-web-\(Files.unique())")
                    let outcome: Result<JSON, any Error>
                    do {
                        try await engine.startContainer(id)
                        outcome = .success(
                            try await report(
                                place, "fetch", calls: #"[["fetch",{"url":"http://127.0.0.1:8000/"}]]"#,
                                options: [
                                    "--catalog", catalog.string, "--allow-network", "fetch=container:\(id)",
                                ]))
                    } catch { outcome = .failure(error) }
                    try await engine.removeContainer(id, force: true)
                    let call = try outcome.get()["calls"]?["fetch"] ?? .null
                    #expect(call["isError"] == false, "\(call.text)")
                    #expect(call["text"]?.string?.contains("Safe hands") == true, "\(call.text)")
                }
            }
        }

        private static let page = """
            import http.server
            class Page(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    found = self.path == "/"
                    self.send_response(200 if found else 404)
                    self.send_header("Content-Type", "text/html")
                    self.end_headers()
                    if found: self.wfile.write(b"<html><body><h1>Safe hands</h1><p>A page.</p></body></html>")
            http.server.HTTPServer(("127.0.0.1", 8000), Page).serve_forever()
            """

        /// A repository of the user's: refused as long as it is not granted, then read, then written.
        @Test func gitWorksOnARepositoryThatIsGranted() async throws {
            try await Workplace.with { place in
                let path = place.folder.appending("repository")
                let made = try await place.run(
                    "/bin/sh",
                    [
                        "-ec",
                        """
                        git init -q --initial-branch=main "$0" && cd "$0"
                        git config user.name Test && git config user.email test@localhost
                        echo one >one && git add one && git commit -qm 'First of all' && echo two >two
                        """, path.string,
                    ])
                #expect(made.status == 0, "\(made.text)")
                try Files.makeDirectory(place.folder.appending(".docker/mcp"))
                try Files.write(
                    ByteBuffer(string: "git: {repository: \(path)}\n"),
                    to: place.folder.appending(".docker/mcp/config.yaml"))
                let refused = try await place.wharf("mcp", "tools", "ls", "--servers", "git")
                #expect(refused.status == 1)
                #expect(refused.err.contains("--allow-files git=\(path)"), "\(refused.text)")

                let calls = """
                    [["git_log",{"repo_path":"\(path)"}],["git_add",{"repo_path":"\(path)","files":["two"]}],\
                    ["git_status",{"repo_path":"\(path)"}]]
                    """
                let read = try await report(place, "git", calls: calls, options: ["--allow-files", "git=\(path)"])
                #expect(read["calls"]?["git_log"]?["text"]?.string?.contains("First of all") == true, "\(read.text)")
                #expect(read["calls"]?["git_add"]?["isError"] == true, "\(read.text)")

                // For good this time, and to write.
                let granted = try await place.wharf("mcp", "grants", "add", "--allow-files", "git=\(path):rw")
                #expect(granted.status == 0, "\(granted.text)")
                let written = try await report(place, "git", calls: calls)
                #expect(written["calls"]?["git_add"]?["isError"] == false, "\(written.text)")
                let status = try await place.run("/bin/sh", ["-c", "cd \(path) && git status --short"])
                #expect(status.out == "A  two\n", "\(status.text)")
            }
        }
    }
}
