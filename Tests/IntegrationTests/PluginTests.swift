import Core
import NIOCore
import Subprocess
import SystemPackage
import Testing

extension Integration {
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
            (
                ["model", "pull"], 1,
                "'docker model pull' requires 1 argument.\n\nUsage:  docker model pull MODEL\n\nSee 'docker"
            ),
            (["model", "rm"], 1, "'docker model rm' requires at least 1 argument."),
            (["model", "ls", "--nonsense"], 125, "unknown flag: --nonsense"),
            (
                ["model", "nonsense"], 1,
                "docker: unknown command: docker model nonsense\n\nUsage:  docker model\n\nRun 'docker"
            ),
            (["mcp", "gateway", "run", "--nonsense"], 125, "Run 'docker mcp gateway run --help' for more information"),
            (["mcp", "gateway", "run", "--cpus"], 125, "flag needs an argument: --cpus"),
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

        @Test func dockersOwnHelpHasTheSameLayout() async throws {
            try await withPlugins { _, docker in
                for (own, ours) in [(["image"], ["model"]), (["image", "--help"], ["model", "--help"])] {
                    let (one, other) = (try await docker(own), try await docker(ours))
                    #expect(one.status == other.status)
                    #expect(one.out.isEmpty == other.out.isEmpty, "\(other.text)")
                    func shape(_ text: String) -> [String] {
                        text.split(separator: "\n").filter {
                            $0.first != " " && !$0.hasPrefix("Manage") && !$0.hasPrefix("Docker")
                        }
                        .map { String($0).replacing("docker model", with: "docker image") }
                    }
                    #expect(shape(one.out + one.err) == shape(other.out + other.err))
                }
            }
        }

        @Test func dockerAndBashCompleteOurCommands() async throws {
            try await withPlugins { place, docker in
                let asked = try await docker(["__complete", "model", "pu"])
                #expect(asked.lines.map { $0.prefix(5) } == ["pull\t", "purge", "push\t", ":4"], "\(asked.text)")
                #expect(asked.err.contains("ShellCompDirectiveNoFileComp"))
                let servers = try await docker(["__complete", "mcp", "gateway", "run", "--servers", "demo"])
                #expect(servers.out.hasPrefix("demo-tools\t"), "\(servers.text)")
                // Asking for models starts no runner; one that runs is asked.
                #expect(try await docker(["__complete", "model", "run", ""]).out == ":4\n")
                #expect(place.daemonPID == nil)
                _ = try await place.model("package", "--gguf", RealParts.pebble.string, "pebble")
                _ = try await place.model("ls")
                #expect(try await docker(["__complete", "model", "run", "pe"]).out == "pebble\n:4\n")

                // The script that docker makes for bash, in place of a terminal's Tab.
                let script = """
                    _init_completion() { words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=${words[cword]}; prev=${words[cword-1]}; }
                    source <(docker completion bash)
                    COMP_WORDS=(docker model pul); COMP_CWORD=2; COMP_LINE="docker model pul"; COMP_POINT=16; COMP_TYPE=9
                    __start_docker
                    printf '%s\\n' "${COMPREPLY[@]}"
                    """
                let bash = try await place.run("/usr/bin/env", ["bash", "-c", script])
                #expect(bash.lines.map { $0.split(separator: " ").first } == ["pull"], "\(bash.text)")
            }
        }

        /// A Ctrl-C at a terminal, SIGTERM to docker itself: what was started is gone, and the exit code tells why.
        @Test(arguments: [(15 as Int32, true, 130), (15, false, 143), (2, false, 130)])
        func anInterruptionLeavesNothing(_ signal: Int32, _ toDocker: Bool, _ status: Int) async throws {
            try await withPlugins { place, _ in
                let plugin = place.folder.appending(".docker/cli-plugins/docker-mcp").string
                let words = ["mcp", "gateway", "run", "--servers", "demo-tools"]
                let result = try await Subprocess.run(
                    toDocker ? .name("docker") : .path(.init(plugin)), arguments: Arguments(words),
                    environment: place.variables(), input: .inputWriter, output: .discarded, error: .sequence
                ) { execution in
                    var text = ""
                    for try await chunk in execution.standardError {
                        text += chunk.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
                        if text.contains("Initialized in") { break }
                    }
                    let line = text.split(separator: "\n").first { $0.contains(" in container ") }
                    let id = try #require(line?.split(separator: " ").dropFirst(5).first.map(String.init), "\(text)")
                    POSIX.send(signal: signal, to: execution.processIdentifier.value)
                    try await eventually("the container is gone") {
                        try await place.run("/usr/bin/env", ["docker", "ps", "-aq", "--filter", "id=\(id)"]).out.isEmpty
                    }
                }
                #expect(result.terminationStatus == .exited(Int32(status)), "\(result.terminationStatus)")
            }
        }

        @Test func aSecondContextIsHonoured() async throws {
            try await withPlugins { place, _ in
                let host = try #require(place.environment["DOCKER_HOST"])
                var environment = place.environment
                environment["DOCKER_HOST"] = nil
                let free = place.changing(environment)
                func docker(_ arguments: String...) async throws -> Workplace.Outcome {
                    try await free.run("/usr/bin/env", ["docker"] + arguments)
                }
                let good = try await docker("context", "create", "second", "--docker", "host=\(host)")
                try #require(good.status == 0, "\(good.text)")
                let nowhere = place.folder.appending("nothing.sock")
                _ = try await docker("context", "create", "nowhere", "--docker", "host=unix://\(nowhere)")
                _ = try await docker("model", "package", "--gguf", RealParts.pebble.string, "pebble")

                let question = "Read the file readme.md"
                let given = try await docker(
                    "--context", "second", "model", "run", "--mcp", "demo-tools", "pebble", question)
                #expect(given.status == 0 && given.err.contains("container"), "\(given.text)")
                let missing = try await docker(
                    "--context", "nowhere", "model", "run", "--mcp", "demo-tools", "pebble", "hi")
                #expect(missing.status == 1 && missing.err.contains(nowhere.string), "\(missing.text)")
                _ = try await docker("context", "use", "second")
                let used = try await docker("mcp", "gateway", "run", "--dry-run", "--servers", "demo-tools")
                #expect(used.status == 0 && used.err.contains("(5 tools)"), "\(used.text)")
                _ = try await docker("context", "use", "nowhere")
                let lost = try await docker("mcp", "gateway", "run", "--dry-run", "--servers", "demo-tools")
                #expect(lost.status == 1 && lost.err.contains(nowhere.string), "\(lost.text)")
            }
        }
    }
}

extension Workplace {
    /// The same place with other variables.
    fileprivate func changing(_ environment: [String: String]) -> Workplace {
        Workplace(folder: folder, environment: environment, port: port)
    }
}
