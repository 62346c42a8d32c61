internal import Commands
internal import Core
internal import Gateway
internal import Logging
internal import MCPHTTP
internal import SystemPackage
internal import Terminal
internal import Toolkit

/// A gateway for many clients over HTTP: every session has servers, and so containers, of its own, but for those that
/// say they are stateless, which all sessions share.
struct HTTPGateway: Sendable {
    let options: ListenOptions
    let style: ListenOptions.Style
    let port: Int
    /// Whether changes of the files with tokens and certificates count.
    let watches: Bool
    let gateway: Gateway
    let err: Console.Output

    /// Serves until it is asked to end; then nothing new begins, and what is under way may finish, but not for long.
    ///
    /// - Throws: `.conflict` when the port is taken; why the servers cannot start, when not one can.
    func run(_ paths: Paths, until stop: Promise<Void>) async throws {
        let (authorization, note) = try authorize(paths)
        let (listening, ready) = (Promise<Void>(), Promise<Void>())
        var limits = StreamableServer.Limits()
        // Servers and files need some of them too.
        if let files = POSIX.raiseDescriptorLimit(to: 16384) { limits.connections = min(limits.connections, files / 2) }
        var logger = Logger(label: "docker-mcp")
        logger.logLevel = .notice
        let certificate = try options.certificate().map { Current($0) }
        var shown: (@Sendable () -> ServerCertificate)?
        if let certificate { shown = { certificate.value } }
        let scheme = certificate == nil ? "http" : "https"
        let server = StreamableServer(
            configuration: .init(
                host: options.host, port: port, names: options.names, authorization: authorization,
                certificate: shown, limits: limits, servers: { Set(gateway.serverNames) },
                isReady: { if case .success? = ready.current { true } else { false } },
                onListening: { port in
                    err.print("> Gateway URL: \(scheme)://\(shownHost):\(port)\(style.path)")
                    err.print(note)
                    err.print("> Start \(style.rawValue) server on port \(port)")
                    listening.fulfil(.success(()))
                }), logger: logger
        ) { session in
            try await gateway.serve(over: session, view: view(of: session))
        }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await server.run(until: stop)
                return true
            }
            if watches {
                group.addTask {
                    await watch(authorization, certificate)
                    await untilCancelled()
                    return false
                }
            }
            group.addTask {
                try await listening.value
                try await rehearse()
                ready.fulfil(.success(()))
                return false
            }
            defer { group.cancelAll() }
            while let isOver = try await group.next() { if isOver { return } }
        }
    }

    /// The servers a session sees: those its user may use, or the one that it has addressed, under its own names.
    private func view(of session: any ServedSession) -> GatewayView {
        if case .server(let name) = session.scope {
            return session.principal.may(use: name) ? .only(name) : .some([])
        }
        return session.principal.servers.map { .some($0.sorted()) } ?? .all
    }

    /// Starts servers of which nothing is known before any client asks: images are fetched, and what cannot work is known.
    private func rehearse() async throws {
        try await gateway.waitUntilListed()
        await gateway.releaseOwn()
    }

    /// Takes other tokens and certificates when their files have changed. What cannot be used changes nothing.
    private func watch(_ authorization: Authorization, _ certificate: Current<ServerCertificate>?) async {
        let files = [options.tokens, options.tlsCertificate, options.tlsKey].compactMap { $0 }.map { FilePath($0) }
        guard !files.isEmpty else { return }
        await FileWatch.run(files) {
            do {
                if case .current(let tokens) = authorization, let file = options.tokens {
                    tokens.replace(try self.tokens(file))
                }
                if let certificate, let new = try options.certificate() { certificate.replace(new) }
                await err.offer("- Tokens and certificates are those of the changed files")
            } catch {
                let reason = Failure.text(of: error)
                await err.offer("Warning: tokens and certificates stay as they were: \(reason)".printable)
            }
        }
    }

    private func tokens(_ file: String) throws -> [Token] {
        try TokensFile.load(FilePath(file), servers: Set(gateway.serverNames)) { err.print($0.printable) }
    }

    /// Who may come in, and how people are told.
    private func authorize(_ paths: Paths) throws -> (Authorization, note: String) {
        let isLocal = StreamableServer.isLoopback(options.host)
        if !isLocal {
            err.print("Warning: listening on \(options.host): everybody on that network reaches the gateway".printable)
        }
        if let file = options.tokens {
            let tokens = try tokens(file)
            if paths.setting(BearerToken.variable) != nil || paths.setting(BearerToken.fileVariable) != nil {
                err.print("Warning: the environment has a token, but only those of \(file) count".printable)
            }
            return (.current(Current(tokens)), "> Use a Bearer token of \(file)".printable)
        }
        guard options.allowUnauthenticated else {
            let (token, source) = try BearerToken.fromEnvironment(paths)
            let note =
                switch source {
                case .variable: "> Use Bearer token from \(BearerToken.variable) environment variable"
                case .file: "> Use Bearer token from the file that \(BearerToken.fileVariable) names"
                case .generated: "> Use Bearer token: Authorization: Bearer \(token.secret)"
                }
            return (.bearer(token), note)
        }
        if paths.setting(BearerToken.variable) != nil || paths.setting(BearerToken.fileVariable) != nil {
            err.print("Warning: the environment has a token, but --allow-unauthenticated lets everybody in without")
        }
        if !isLocal {
            err.print(
                "WARNING: no token is asked for: everybody who reaches \(options.host) can run the tools".printable)
        }
        return (.open, "> Authentication disabled by explicit configuration")
    }

    /// A name that works on this machine.
    private var shownHost: String {
        let isHere = StreamableServer.isLoopback(options.host) || ["0.0.0.0", "::", ""].contains(options.host)
        if isHere { return "localhost" }
        return (options.host.contains(":") ? "[\(options.host)]" : options.host).printable
    }
}
