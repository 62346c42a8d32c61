package import ArgumentParser
internal import Commands
internal import Core
internal import DockerEngine
internal import Hub
internal import Inference
internal import Logging
internal import ModelStore
internal import NIOCore
internal import NIOPosix
internal import OCI
internal import RunnerAPI
internal import SystemPackage
internal import Terminal

/// The runner daemon in the foreground.
package struct Serve: AsyncParsableCommand, HandlesSignals {
    package static let configuration = CommandConfiguration(
        abstract: "Serve models on a Unix socket and a TCP port",
        discussion: """
            This machine may do everything; its containers may ask models; others may with a key (docker model keys), \
            and only where --host lets them in. SIGTERM or Ctrl-C stop it, after the answers under way. \
            The docker model commands start it by themselves when none runs; it then stops when it has been idle.
            """)

    @Option(help: ArgumentHelp("The Unix socket. (default: in ~/.docker/model-runner)", valueName: "path"))
    var socket: String?
    @Option(help: "The TCP port; 0 for none. (default: MODEL_RUNNER_PORT or 12434)") var port: Int?
    @OptionGroup(title: "Access") var access: AccessOptions
    @Option(
        help: ArgumentHelp("Where models are kept. (default: MODELS_PATH or ~/.docker/models)", valueName: "folder"))
    var modelsPath: String?
    @Option(help: ArgumentHelp("MiB that a request may have; pictures come inline.", valueName: "MiB"))
    var maxRequest = 128
    @Flag(help: .hidden) var stopWhenIdle = false

    package init() {}

    package func validate() throws {
        if let port, !(0...65535).contains(port) { throw ValidationError("--port must be between 0 and 65535") }
        guard (1...4096).contains(maxRequest) else {
            throw ValidationError("--max-request must be between 1 and 4096")
        }
    }

    package func run() async throws {
        let context = CommandContext.current
        // A daemon that a command started writes to its log; one in the foreground to its terminal.
        let file = stopWhenIdle ? context.paths.modelRunnerLog : nil
        var logger = Logger(label: "wharf") { label in
            file.map { StreamLogHandler(label: label, stream: DaemonLog($0)) }
                ?? StreamLogHandler.standardError(label: label)
        }
        logger.logLevel =
            context.paths.setting("LOG_LEVEL").flatMap { Logger.Level(rawValue: $0.lowercased()) } ?? .info
        let port = try port ?? RunnerEndpoint.portNumber(context.paths)
        let host = access.host
        let socket = socket.map { FilePath($0) } ?? context.paths.modelRunnerSocket
        var configuration = RunnerServer.Configuration(
            socket: socket, host: host, port: port == 0 ? nil : port, version: WharfVersion.current,
            log: file, modelConfigurations: ConfigurationFile.path(context.paths), handlesSignals: true,
            maximumRequest: maxRequest << 20,
            scheduler: .init(
                policy: .init(trampoline: context.program),
                budget: try MemoryBudget(
                    setting: context.paths.setting(MemoryBudget.variable), machine: SystemMemory.current?.total),
                measurements: MeasuredMemory.path(context.paths)),
            onListening: { address in
                context.console.err.print("listening on \(Self.describe(address))")
                if case .unix(let path) = address { Self.writeProcessID(beside: path) }
                POSIX.releaseProgramPages()
            })
        if stopWhenIdle {
            configuration.idleExit = Self.idleLimit
            // Started unasked, it must not fail for a port that somebody else uses: the socket is enough.
            if let port = configuration.port, await !isFree(host, port) {
                context.console.err.print("port \(port) on \(host) is in use; serving on the socket only")
                configuration.port = nil
            }
        }
        try await access.apply(to: &configuration, context)
        defer { Self.removeProcessID(beside: socket) }
        let models = modelsPath.map { FilePath($0) } ?? context.paths.models
        let (configured, log) = (configuration, logger)
        let backends: [any Backend] = [LlamaServer(paths: context.paths)] + (try DescribedBackend.all(context.paths))
        for case let broken as BrokenBackend in backends { logger.error("\(broken.failure)") }
        let userAgent = "docker-model-runner/\(WharfVersion.current)"
        try await Registry.with(environment: context.paths, userAgent: userAgent) { registry in
            try await RunnerServer(
                configuration: configured, store: ModelStore(root: models), registry: registry,
                hub: { token in
                    try HuggingFace(
                        connections: registry.connections, environment: context.paths, userAgent: userAgent,
                        token: token)
                },
                backends: backends,
                installer: EngineInstaller(paths: context.paths, trampoline: context.program),
                logger: log
            ).run()
        }
    }

    /// Tells scripts whom to stop.
    private static func writeProcessID(beside socket: FilePath) {
        try? Files.write(ByteBuffer(string: "\(POSIX.processID)\n"), to: processIDFile(beside: socket))
    }

    /// Also after a start that failed, but not what another daemon has written there.
    private static func removeProcessID(beside socket: FilePath) {
        let file = processIDFile(beside: socket)
        let text = (try? Files.read(file, limit: 64)).map { String(buffer: $0) }
        if text == "\(POSIX.processID)\n" { try? Files.remove(file) }
    }

    private static func processIDFile(beside socket: FilePath) -> FilePath { FilePath(socket.string + ".pid") }

    /// How long a daemon that a command started stays without being asked for anything.
    private static let idleLimit = Duration.seconds(15 * 60)

    private func isFree(_ host: String, _ port: Int) async -> Bool {
        guard
            let channel = try? await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .bind(host: host, port: port).get()
        else { return false }
        try? await channel.close()
        return true
    }

    private static func describe(_ address: RunnerServer.Address) -> String {
        switch address {
        case .unix(let path): path.string
        case .tcp(let host, let port, let isEncrypted):
            "http\(isEncrypted ? "s" : "")://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        }
    }
}
