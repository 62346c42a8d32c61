internal import Core
internal import Hummingbird
internal import HummingbirdCore
internal import HummingbirdTLS
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import ServiceLifecycle
internal import SystemPackage

/// Where the daemon listens.
extension RunnerServer {
    struct Listener: Sendable, Hashable {
        let host: String
        let port: Int
        let isEncrypted: Bool
    }

    /// The services that listen; what has to be free has been tried.
    func listening(_ router: Router<Context>) async throws -> [any Service] {
        var services: [any Service] = []
        let onListening = configuration.onListening
        if let socket = configuration.socket {
            services.append(
                application(router, .unixDomainSocket(path: socket.string), LoopChannel.builder) { _ in
                    try? POSIX.changeMode(socket, 0o600)
                    await onListening(.unix(socket))
                })
        }
        let listeners = try await listeners()
        guard !listeners.isEmpty else { return services }
        let encrypted = try configuration.tls.map {
            try HTTPServerBuilder.tls(LoopChannel.builder, tlsConfiguration: $0.server())
        }
        for listener in listeners {
            guard let builder = listener.isEncrypted ? encrypted : LoopChannel.builder else { continue }
            services.append(
                application(router, .hostname(listener.host, port: listener.port), builder) { channel in
                    let port = channel.localAddress?.port ?? listener.port
                    await onListening(.tcp(host: listener.host, port: port, isEncrypted: listener.isEncrypted))
                })
        }
        return services
    }

    /// - Throws: `.conflict` and the like for an address that was asked for and cannot be had; one that is only useful
    ///   is left out.
    private func listeners() async throws -> [Listener] {
        guard let port = configuration.port else { return [] }
        let host = configuration.host
        let isWildcard = ["0.0.0.0", "::", "[::]"].contains(host)
        // What belongs to this machine stays where it was, wherever else it listens.
        let hosts = Self.isLoopback(host) || isWildcard ? [host] : [host, "127.0.0.1"]
        if !Self.isLoopback(host), !configuration.bridges.contains(host) {
            logger.notice("listening on \(host): whoever reaches it may ask models with a key of docker model keys")
        }
        var ports = [(port, false)]
        if let ollama = configuration.ollamaPort, ollama != port { ports.append((ollama, false)) }
        if let tls = configuration.tls { ports.append((tls.port, true)) }
        var result: [Listener] = []
        for (port, isEncrypted) in ports {
            for host in hosts {
                // Before anything is said or started; the real try may still fail, when somebody else is quicker.
                try await check(host, port)
                result.append(Listener(host: host, port: port, isEncrypted: isEncrypted))
            }
            for bridge in configuration.bridges where !isWildcard && !hosts.contains(bridge) && port != 0 {
                do {
                    try await check(bridge, port)
                    result.append(Listener(host: bridge, port: port, isEncrypted: isEncrypted))
                } catch { logger.notice("containers cannot reach the model runner at \(bridge): \(error)") }
            }
        }
        return result
    }

    /// Listens for a moment.
    private func check(_ host: String, _ port: Int) async throws {
        do {
            let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .bind(to: try await address(host, port)).get()
            try await channel.close()
        } catch let error as IOError { throw Self.explain(error, host, port) }
    }

    /// How long the system may look for a host's address.
    private static let patience = Duration.seconds(10)

    private func address(_ host: String, _ port: Int) async throws -> SocketAddress {
        let found = Promise<SocketAddress>()
        // The system's call cannot be given up; the thread may go on waiting for it.
        NIOThreadPool.singleton.submit { _ in
            found.fulfil(Result { try SocketAddress.makeAddressResolvingHost(host, port: port) })
        }
        do {
            return try await withDeadline(Self.patience, "no answer from the name service") { try await found.value }
        } catch let error as CancellationError { throw error } catch {
            throw Failure(
                .invalidArgument, "cannot listen on \(host)", cause: error, advice: "Choose another one with --host.")
        }
    }

    private func application(
        _ router: Router<Context>, _ address: BindAddress, _ builder: HTTPServerBuilder,
        onListening: @escaping @Sendable (any Channel) async -> Void
    ) -> some ApplicationProtocol {
        Application(
            router: router, server: builder, configuration: .init(address: address), onServerRunning: onListening,
            logger: logger)
    }

    static func explain(_ error: IOError, _ host: String, _ port: Int?) -> any Error {
        let reason = Errno(rawValue: error.errnoCode)
        guard let port else { return Failure(.unavailable, "cannot listen", cause: reason) }
        switch reason {
        case .addressInUse:
            return Failure(
                .conflict, "port \(port) on \(host) is in use", advice: "Choose another one with --port.")
        case .addressNotAvailable:
            return Failure(
                .invalidArgument, "\(host) is no address of this machine", advice: "Choose another one with --host.")
        default: return Failure(.unavailable, "cannot listen on \(host) port \(port)", cause: reason)
        }
    }

    static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host == "::1" || host.hasPrefix("127.") && host.split(separator: ".").count == 4
    }
}

extension RunnerServer.TLS {
    fileprivate func server() throws -> TLSConfiguration {
        do {
            return TLSConfiguration.makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMFile(certificate.string).map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: key.string, format: .pem)))
        } catch {
            throw Failure(
                .invalidArgument, "cannot use the certificate \(certificate) with the key \(key)", cause: error,
                advice: "Both must be PEM files, and belong together.")
        }
    }
}
