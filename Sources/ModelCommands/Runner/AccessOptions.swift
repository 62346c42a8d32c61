internal import ArgumentParser
internal import AsyncHTTPClient
internal import Commands
internal import Core
internal import DockerEngine
internal import RunnerAPI
internal import SystemPackage

/// Who may reach the daemon, and how.
struct AccessOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The address to listen on; beyond this machine an API key is needed.", valueName: "address"))
    var host = "127.0.0.1"
    @Option(help: ArgumentHelp("Listen here too, for tools that expect Ollama: 11434.", valueName: "port"))
    var ollamaPort: Int?
    @Option(
        help: ArgumentHelp(
            "A web page's origin that may call, beside this machine's. (also: DMR_ORIGINS)", valueName: "origin"))
    var origin: [String] = []
    @Flag(inversion: .prefixedNo, help: "Let containers ask models, at the address of Docker's bridge.")
    var containers = true
    @Flag(help: "Show recorded requests on TCP too. (also: MODEL_RUNNER_SHOW_REQUESTS=1)") var showRequests = false

    func validate() throws {
        if let ollamaPort, !(1...65535).contains(ollamaPort) {
            throw ValidationError("--ollama-port must be between 1 and 65535")
        }
    }

    /// How long docker may take to say what its bridge's address is.
    private static let patience = Duration.seconds(1)

    func apply(to configuration: inout RunnerServer.Configuration, _ context: CommandContext) async throws {
        let paths = context.paths
        configuration.ollamaPort = ollamaPort
        configuration.allowedOrigins = Set(origin + Self.list(paths.setting("DMR_ORIGINS")))
        configuration.showsRequests = showRequests || Self.isSet("MODEL_RUNNER_SHOW_REQUESTS", paths)
        configuration.keys = Self.keys(paths)
        if containers, configuration.port != nil, !Self.isUnset("MODEL_RUNNER_CONTAINERS", paths),
            let bridge = await Self.bridge(context)
        {
            configuration.bridges = [bridge]
        }
        configuration.tls = try tls(configuration, paths)
    }

    static func keys(_ paths: Paths) -> KeyFile { KeyFile(paths.modelRunner.appending("keys.json")) }

    /// Only an engine of this machine has its bridge here.
    private static func bridge(_ context: CommandContext) async -> String? {
        guard let endpoint = try? EngineEndpoint.resolve(paths: context.paths, globals: context.globals),
            case .unix(let socket) = endpoint, Files.exists(socket)
        else { return nil }
        return try? await withDeadline(patience, "no answer from docker") {
            try await withHTTPClient { client in
                try await Engine.connect(client: client, endpoint: endpoint).bridgeGateway()
            }
        }
    }

    private func tls(_ configuration: RunnerServer.Configuration, _ paths: Paths) throws -> RunnerServer.TLS? {
        guard Self.isSet("MODEL_RUNNER_TLS_ENABLED", paths) else { return nil }
        var port = RunnerServer.defaultTLSPort
        if let text = paths.setting("MODEL_RUNNER_TLS_PORT") {
            guard let number = Int(text), (1...65535).contains(number) else {
                throw Failure(.invalidArgument, "MODEL_RUNNER_TLS_PORT is \"\(text)\", not a port")
            }
            port = number
        }
        switch (paths.setting("MODEL_RUNNER_TLS_CERT"), paths.setting("MODEL_RUNNER_TLS_KEY")) {
        case (let certificate?, let key?):
            return .init(port: port, certificate: FilePath(certificate), key: FilePath(key))
        case (nil, nil): break
        default:
            throw Failure(
                .invalidArgument, "MODEL_RUNNER_TLS_CERT and MODEL_RUNNER_TLS_KEY belong together",
                advice: "Set both, or neither to have certificates made.")
        }
        guard !Self.isUnset("MODEL_RUNNER_TLS_AUTO_CERT", paths) else {
            throw Failure(
                .invalidArgument, "TLS is on, but there is no certificate and none may be made",
                advice: "Set MODEL_RUNNER_TLS_CERT and MODEL_RUNNER_TLS_KEY, or drop MODEL_RUNNER_TLS_AUTO_CERT.")
        }
        let certificates = LocalCertificates(paths.modelRunner.appending("certs"))
        let own = ["localhost", "127.0.0.1", "::1", "host.docker.internal", "model-runner.docker.internal"]
        let isWildcard = ["0.0.0.0", "::"].contains(configuration.host)
        let names =
            own + configuration.bridges + (isWildcard || own.contains(configuration.host) ? [] : [configuration.host])
        try certificates.prepare(for: names)
        return .init(port: port, certificate: certificates.certificate, key: certificates.key)
    }

    private static func list(_ text: String?) -> [String] {
        (text ?? "").split(separator: ",").map { $0.filter { !$0.isWhitespace } }.filter { !$0.isEmpty }
    }

    private static func isSet(_ name: String, _ paths: Paths) -> Bool {
        ["1", "true", "yes"].contains(paths.setting(name)?.lowercased())
    }

    private static func isUnset(_ name: String, _ paths: Paths) -> Bool {
        ["0", "false", "no"].contains(paths.setting(name)?.lowercased())
    }
}
