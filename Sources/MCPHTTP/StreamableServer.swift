internal import Core
internal import Hummingbird
package import Logging
internal import MCP
internal import NIOCore
internal import ServiceLifecycle
internal import SystemPackage

/// MCP over HTTP: any number of sessions, each with a server of its own.
package struct StreamableServer: Service {
    private let configuration: Configuration
    private let logger: Logger
    private let serve: @Sendable (HTTPSession) async throws -> Void

    /// - Parameter serve: runs one session's server, in a child task, until the client has ended the session; a session
    ///   ends with it. It is cancelled when the server shuts down, and waited for.
    package init(
        configuration: Configuration, logger: Logger, serve: @escaping @Sendable (HTTPSession) async throws -> Void
    ) {
        self.configuration = configuration
        self.logger = logger
        self.serve = serve
    }

    /// Serves until the surrounding group shuts down or the task is cancelled.
    ///
    /// - Throws: `.conflict` when the port is taken; `.invalidArgument` when the address is not this machine's.
    package func run() async throws {
        let limits = configuration.limits
        let sessions = Sessions(maximum: limits.sessions, idleLimit: limits.idle)
        let front = Front(
            configuration: configuration,
            gate: Gate(host: configuration.host, authorization: configuration.authorization), sessions: sessions)
        let (onListening, port) = (configuration.onListening, configuration.port)
        // What the libraries have to say is about their sockets; what matters here comes as an error.
        var quiet = logger
        quiet.logLevel = .critical
        let application = Application(
            responder: front,
            server: .http1(configuration: .init(additionalChannelHandlers: [DisconnectHandler()])),
            configuration: .init(address: .hostname(configuration.host, port: port)),
            onServerRunning: { await onListening($0.localAddress?.port ?? port) }, logger: quiet)
        let running = SessionService(sessions: sessions, beat: limits.keepAlive, logger: logger, serve: serve)
        let services: [any Service] = [application, running]
        var group = ServiceGroupConfiguration(
            services: services.map { .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup) },
            logger: quiet)
        group.maximumGracefulShutdownDuration = limits.drain
        do { try await ServiceGroup(configuration: group).run() } catch {
            throw explain(error)
        }
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
