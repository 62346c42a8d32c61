internal import Core
internal import Testing

@testable internal import DockerEngine

@Suite struct PluginTests {
    struct Line: Sendable, CustomTestStringConvertible {
        let argv: String
        let arguments: String
        var globals = PluginGlobals()
        var name = "model"
        var testDescription: String { argv }

        init(
            _ argv: String, _ arguments: String, name: String = "model",
            _ change: (inout PluginGlobals) -> Void = { _ in }
        ) {
            self.argv = argv
            self.arguments = arguments
            self.name = name
            change(&globals)
        }
    }

    @Test(arguments: [
        Line("docker-model", ""),
        Line("docker-model model", ""),
        Line("docker-model model ls --json", "ls --json"),
        Line("/home/u/.docker/cli-plugins/docker-model model ls", "ls"),
        Line("docker-model ls", "ls"),
        Line("docker-mcp mcp gateway run", "gateway run", name: "mcp"),
        Line("docker-model run model", "run model"),
        Line("docker-model model run model", "run model"),
        Line("docker-model --context x model ls", "ls") { $0.context = "x" },
        Line("docker-model --context=x model ls", "ls") { $0.context = "x" },
        Line("docker-model -c x model ls", "ls") { $0.context = "x" },
        Line("docker-model -cx model ls", "ls") { $0.context = "x" },
        Line("docker-model -c=x model ls", "ls") { $0.context = "x" },
        Line("docker-model --context model model ls", "ls") { $0.context = "model" },
        Line("docker-model -H tcp://h:1 model ls", "ls") { $0.host = "tcp://h:1" },
        Line("docker-model -Htcp://h:1 model ls", "ls") { $0.host = "tcp://h:1" },
        Line("docker-model --host=unix:///s model ls", "ls") { $0.host = "unix:///s" },
        Line("docker-model --config /c model ls", "ls") { $0.configDirectory = "/c" },
        Line("docker-model -D model ls", "ls") { $0.isDebug = true },
        Line("docker-model --debug model ls", "ls") { $0.isDebug = true },
        Line("docker-model --debug=true model ls", "ls") { $0.isDebug = true },
        Line("docker-model --debug=false model ls", "ls"),
        Line("docker-model -Dc x model ls", "ls") {
            $0.isDebug = true
            $0.context = "x"
        },
        Line("docker-model -l info model ls", "ls") { $0.logLevel = "info" },
        Line("docker-model --log-level=warn model ls", "ls") { $0.logLevel = "warn" },
        Line("docker-model --tls --tlsverify --tlscacert a --tlscert=b --tlskey c model ls", "ls") {
            $0.wantsTLS = true
        },
        Line("docker-model --tlsverify=false model ls", "ls"),
        Line("docker-model -D ls", "ls") { $0.isDebug = true },
        Line("docker-model model ls -c x", "ls -c x"),
        Line("docker-model --json", "--json"),
        Line("docker-model --context", "--context"),
        Line("docker-model help model", "help"),
        Line("docker-model help model ls", "help ls"),
        Line("docker-model -D help model ls", "help ls") { $0.isDebug = true },
        Line("docker-model model help ls", "help ls"),
        Line("docker-model help ls", "help ls"),
        Line("docker-model model ls docker-cli-plugin-metadata", "ls docker-cli-plugin-metadata"),
    ])
    func takesACommandLineApart(_ line: Line) throws {
        let invocation = try #require(PluginInvocation(arguments: line.argv.split(separator: " ").map(String.init)))
        #expect(invocation.name == line.name)
        #expect(invocation.globals == line.globals)
        #expect(invocation.arguments == line.arguments.split(separator: " ").map(String.init))
        #expect(!invocation.isMetadataRequest)
    }

    @Test(arguments: [
        ("docker-model __complete model p", CompletionRequest.withDescriptions, "p"),
        ("docker-model __completeNoDesc model run pe", .withoutDescriptions, "run pe"),
        ("docker-model --context x __complete model ls", .withDescriptions, "ls"),
        ("docker-model __complete --context x model ls", .withDescriptions, "ls"),
        ("docker-mcp __complete gateway", .withDescriptions, "gateway"),
    ])
    func takesAShellsQuestionApart(_ argv: String, _ request: CompletionRequest, _ words: String) throws {
        let invocation = try #require(PluginInvocation(arguments: argv.split(separator: " ").map(String.init)))
        #expect(invocation.completion == request)
        #expect(invocation.arguments.joined(separator: " ") == words)
    }

    @Test(arguments: ["", "wharf", "/usr/bin/wharf model ls", "docker model ls", "docker-models"])
    func isNoPluginUnderOtherNames(argv: String) {
        #expect(PluginInvocation(arguments: argv.split(separator: " ").map(String.init)) == nil)
    }

    @Test(arguments: ["model", "mcp"])
    func answersDockersQuestion(name: String) throws {
        let invocation = try #require(PluginInvocation(arguments: ["docker-\(name)", "docker-cli-plugin-metadata"]))
        #expect(invocation.isMetadataRequest)
        let metadata = Plugin.metadata(name: invocation.name)
        #expect(metadata["SchemaVersion"] == "0.1.0")
        #expect(metadata["Vendor"]?.string?.isEmpty == false)
        #expect(metadata["ShortDescription"]?.string?.isEmpty == false)
        // Compose passes model options on only from 1.0.6.
        let version = try #require(metadata["Version"]?.string)
        #expect(version.hasPrefix("v"))
        let parts = version.dropFirst().split(separator: ".").compactMap { Int($0) }
        #expect(parts.count == 3)
        #expect(!parts.lexicographicallyPrecedes([1, 0, 6]))
    }
}
