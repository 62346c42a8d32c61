internal import Core
package import Hub
internal import Hummingbird
package import Inference
package import Logging
package import ModelStore
internal import NIOCore
internal import NIOPosix
package import OCI
internal import ServiceLifecycle
package import SystemPackage
internal import UnixSignals

/// The daemon: its routes on a unix socket and on TCP, and the scheduler behind them.
package struct RunnerServer: Service {
    let configuration: Configuration
    private let store: ModelStore
    private let registry: Registry
    private let hub: @Sendable (String?) throws -> HuggingFace
    private let backends: [any Backend]
    private let installer: EngineInstaller
    let logger: Logger

    /// - Parameter hub: Hugging Face's hub, asked with a token where one is given.
    package init(
        configuration: Configuration, store: ModelStore, registry: Registry,
        hub: @escaping @Sendable (_ token: String?) throws -> HuggingFace, backends: [any Backend],
        installer: EngineInstaller, logger: Logger
    ) {
        self.configuration = configuration
        self.store = store
        self.registry = registry
        self.hub = hub
        self.backends = backends
        self.installer = installer
        self.logger = logger
    }

    /// Serves until the surrounding group shuts down, a signal comes, or nobody has asked for anything for long.
    ///
    /// - Throws: `.conflict` when a runner already listens on the socket or the port is taken.
    package func run() async throws {
        let lock = try takeSocket()
        try await serve()
        withExtendedLifetime(lock) {}
    }

    private func serve() async throws {
        let scheduler = Scheduler(backends: backends, configuration: configuration.scheduler, logger: logger)
        let activity = Activity()
        let router = router(scheduler, activity)
        var services: [any Service] = [SchedulerService(scheduler: scheduler)]
        if let limit = configuration.idleExit {
            services.append(IdleExit(limit: limit, activity: activity, scheduler: scheduler, logger: logger))
        }
        services += try await listening(router)
        var group = ServiceGroupConfiguration(
            services: services.map {
                .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup)
            },
            gracefulShutdownSignals: configuration.handlesSignals ? [.sigterm, .sigint] : [], logger: logger)
        group.maximumGracefulShutdownDuration = configuration.drain
        do { try await ServiceGroup(configuration: group).run() } catch let error as IOError {
            throw Self.explain(error, configuration.host, configuration.port)
        }
    }

    private func router(_ scheduler: Scheduler, _ activity: Activity) -> Router<Context> {
        let router = Router(context: Context.self)
        router.add(middleware: OffLoop())
        let bridges = Set(configuration.bridges)
        router.add(middleware: OriginGuard(bridges: bridges, allowedOrigins: configuration.allowedOrigins))
        router.add(middleware: ErrorShaping())
        router.add(middleware: AccessGuard(bridges: bridges, keys: KeyRing(configuration.keys)))
        router.add(middleware: ActivityCounting(activity: activity))
        let version = configuration.version
        router.get("/") { _, _ in Response.text("Docker Model Runner is running\n") }
        let port: JSON = configuration.port.map { .int($0) } ?? .null
        router.get("/version") { _, _ in Response.json(["version": .string(version), "port": port]) }
        let planner = LoadPlanner(
            store: store, configurations: ConfigurationFile(configuration.modelConfigurations), scheduler: scheduler)
        let transfers = Transfers(store: store, registry: registry, hub: hub)
        ModelRoutes(transfers: transfers, planner: planner, scheduler: scheduler, activity: activity).add(to: router)
        ConfigureRoutes(planner: planner, scheduler: scheduler).add(to: router)
        EngineRoutes(store: store, scheduler: scheduler, installer: installer, activity: activity).add(to: router)
        LogRoutes(log: configuration.log).add(to: router)
        let (metrics, recorder) = (Metrics(), RequestRecorder())
        let relay = Relay(
            scheduler: scheduler, activity: activity, metrics: metrics, recorder: recorder,
            heartbeat: configuration.heartbeat,
            modelID: { [store] in try? store.model(named: $0).id.description })
        MetricsRoutes(metrics: metrics, scheduler: scheduler, activity: activity).add(to: router)
        RequestRoutes(recorder: recorder, store: store, isOpen: configuration.showsRequests).add(to: router)
        let calls = EngineCalls(
            store: store, planner: planner, relay: relay, maximumRequest: configuration.maximumRequest)
        ClientRoutes(calls: calls, transfers: transfers, activity: activity).add(to: router)
        return router
    }

    /// Listening on a path takes it from whoever listens there, so a lock beside it decides who may.
    private func takeSocket() throws -> FileLock? {
        guard let socket = configuration.socket else { return nil }
        guard socket.string.utf8.count <= Paths.maximumSocketPath else {
            throw Failure(
                .invalidArgument, "the socket path \(socket) is longer than \(Paths.maximumSocketPath) bytes",
                advice: "Choose a shorter one with --socket or MODEL_RUNNER_SOCK.")
        }
        try Files.makeDirectory(socket.removingLastComponent(), mode: 0o700)
        guard let lock = try FileLock.acquire(Self.lockPath(of: socket), wait: false) else {
            throw Failure(
                .conflict, "a model runner already listens on \(socket)",
                advice: "Use it, stop it with `docker model stop-runner`, or choose another socket with --socket.")
        }
        // For whoever wants to stop this very process; where the kernel does not tell, nobody else can.
        if let identity = ProcessIdentity.current { try lock.note("\(identity)\n") }
        return lock
    }

    /// What whoever listens on a socket holds while it lives.
    package static func lockPath(of socket: FilePath) -> FilePath { FilePath(socket.string + ".lock") }
}

/// The scheduler in the life of the daemon: it goes last, when nobody can ask for anything any more.
private struct SchedulerService: Service {
    let scheduler: Scheduler

    func run() async throws {
        try await cancelWhenGracefulShutdown { try await scheduler.run() }
    }
}
