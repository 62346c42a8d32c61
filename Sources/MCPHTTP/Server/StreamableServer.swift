package import Core
internal import Hummingbird
internal import HummingbirdTLS
package import Logging
internal import MCP
internal import NIOCore
internal import ServiceLifecycle
internal import SystemPackage

/// MCP over HTTP: any number of sessions, each with a server of its own.
package struct StreamableServer: Service {
    private let configuration: Configuration
    private let logger: Logger
    private let serve: @Sendable (any ServedSession) async throws -> Void

    /// - Parameter serve: runs one session's server, in a child task, until the client has ended the session; a session
    ///   ends with it. It is cancelled when the server shuts down, and waited for.
    package init(
        configuration: Configuration, logger: Logger,
        serve: @escaping @Sendable (any ServedSession) async throws -> Void
    ) {
        self.configuration = configuration
        self.logger = logger
        self.serve = serve
    }

    /// Serves until the surrounding group shuts down or `stop` is fulfilled: then nothing new begins, and what is under
    /// way may finish within the limit. Cancelling the task ends everything at once.
    ///
    /// - Throws: `.conflict` when the port is taken; `.invalidArgument` when the address is not this machine's.
    package func run(until stop: Promise<Void>) async throws {
        let group = try group()
        do {
            try await withThrowingTaskGroup(of: Bool.self) { tasks in
                tasks.addTask {
                    try await group.run()
                    return true
                }
                tasks.addTask {
                    try await stop.value
                    await group.triggerGracefulShutdown()
                    return false
                }
                defer { tasks.cancelAll() }
                while let isOver = try await tasks.next() { if isOver { return } }
            }
        } catch { throw explain(error) }
    }

    package func run() async throws { try await run(until: Promise()) }

    private func group() throws -> ServiceGroup {
        let limits = configuration.limits
        let sessions = Sessions(maximum: limits.sessions, idleLimit: limits.idle)
        let gate = Gate(
            host: configuration.host, names: Set(configuration.names.map { $0.lowercased() }),
            authorization: configuration.authorization)
        let modern = ModernSessions(maximum: limits.sessions, idleLimit: limits.idle, logger: logger)
        let front = Front(
            configuration: configuration, gate: gate, sessions: sessions, modernSessions: modern)
        let (onListening, port) = (configuration.onListening, configuration.port)
        // What the libraries have to say is about their sockets; what matters here comes as an error.
        var quiet = logger
        quiet.logLevel = .critical
        let handlers: @Sendable () -> [any RemovableChannelHandler] = {
            [DisconnectHandler(), RequestTimeouts(limits)]
        }
        let tls = configuration.certificate.map(ServerCertificate.configuration)
        let application = Application(
            responder: front,
            server: try tls.map {
                try .tls(LoopChannel.builder(handlers), tlsConfiguration: $0)
            } ?? LoopChannel.builder(handlers),
            configuration: .init(
                address: .hostname(configuration.host, port: port), backlog: 1024,
                availableConnectionsDelegate: .maximum(limits.connections, logger: quiet)),
            onServerRunning: { await onListening($0.localAddress?.port ?? port) }, logger: quiet)
        let running = SessionService(sessions: sessions, limits: limits, logger: logger, serve: serve)
        // They end in reverse: while sessions drain, new requests are still told that they come too late.
        let runningModern = ModernSessionService(sessions: modern, limits: limits, logger: logger, serve: serve)
        let services: [any Service] = [application, running, runningModern]
        var group = ServiceGroupConfiguration(
            services: services.map { .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup) },
            logger: quiet)
        group.maximumGracefulShutdownDuration = limits.drain + .seconds(2)
        return ServiceGroup(configuration: group)
    }

    private func explain(_ error: any Error) -> any Error {
        if let error = error as? IOError, Errno(rawValue: error.errnoCode) == .addressInUse {
            return Failure(
                .conflict, "port \(configuration.port) on \(configuration.host) is in use",
                advice: "Choose another one with --port.")
        }
        guard error is IOError || error is SocketAddressError || error is SocketAddressError.UnknownHost else {
            return error
        }
        return Failure(
            .invalidArgument, "cannot listen on \(configuration.host), port \(configuration.port)", cause: error,
            advice: "Choose an address of this machine with --host.")
    }

    /// Whether only this machine reaches an address.
    package static func isLoopback(_ host: String) -> Bool { Gate.isLoopback(host.lowercased()) }
}
