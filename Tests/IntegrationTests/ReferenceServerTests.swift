import Core
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

        private func report(_ place: Workplace, _ server: String, calls: String) async throws -> JSON {
            let outcome = try await place.run(
                RealParts.path("WHARF_CLIENTS_PYTHON"),
                [
                    RealParts.repository.appending("Tests/Clients/mcp_client.py").string, "--mode", "auto", "--calls",
                    calls,
                    "--", RealParts.path("WHARF_BIN"), "mcp", "gateway", "run", "--servers", server,
                ])
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
    }
}
