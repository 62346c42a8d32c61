import Core
import NIOCore
import SystemPackage
import Testing

/// Docker's own command line finds and runs us.
@Suite(.enabled(if: RealParts.isThere), .timeLimit(.minutes(5))) struct PluginTests {
    private func withPlugins(
        _ body: (Workplace, _ docker: ([String]) async throws -> Workplace.Outcome) async throws -> Void
    )
        async throws
    {
        try await Workplace.with { place in
            let plugins = place.folder.appending(".docker/cli-plugins")
            try Files.makeDirectory(plugins)
            for name in ["docker-model", "docker-mcp"] {
                try POSIX.symbolicLink(at: plugins.appending(name), to: FilePath(try RealParts.path("WHARF_BIN")))
            }
            try await body(place) { arguments in try await place.run("/usr/bin/env", ["docker"] + arguments) }
        }
    }

    @Test func dockerRunsBothPlugins() async throws {
        try await withPlugins { place, docker in
            let help = try await docker(["--help"])
            #expect(help.out.contains("model*"), "\(help.text)")
            #expect(help.out.contains("mcp*"), "\(help.text)")
            let version = try await docker(["model", "version"])
            #expect(version.out.hasPrefix("Client:\n Version:    v1."), "\(version.text)")
            #expect(try await docker(["mcp", "version"]).out.hasPrefix("v1."))
            // Docker's own flags come first.
            let flags = try await docker(["--log-level", "error", "-D", "model", "status"])
            #expect(flags.out.contains("not running"), "\(flags.text)")
            #expect(flags.status == 1)
            let listed = try await docker(["model", "ls"])
            #expect(listed.status == 0, "\(listed.text)")
        }
    }

    @Test(arguments: [
        (["model", "pull"], 125, "Usage:  docker model pull MODEL"),
        (["model", "ls", "--nonsense"], 125, "unknown flag: --nonsense"),
        (["mcp", "gateway", "run", "--nonsense"], 125, "Run 'docker mcp gateway run --help' for more information"),
        (["mcp", "gateway", "run"], 1, "no server is chosen"),
    ])
    func usageErrorsAreDockers(_ arguments: [String], _ status: Int, _ says: String) async throws {
        try await withPlugins { _, docker in
            let outcome = try await docker(arguments)
            #expect(outcome.status == status, "\(outcome.text)")
            #expect(outcome.err.contains(says), "\(outcome.text)")
            #expect(outcome.out.isEmpty)
        }
    }

    @Test(arguments: [
        ["help", "model"], ["model", "--help"], ["model", "help"], ["help", "model", "run"],
        ["model", "run", "--help"],
    ])
    func helpIsHelp(_ arguments: [String]) async throws {
        try await withPlugins { _, docker in
            let outcome = try await docker(arguments)
            #expect(outcome.status == 0, "\(outcome.text)")
            #expect(outcome.out.contains("docker model"), "\(outcome.text)")
        }
    }
}
