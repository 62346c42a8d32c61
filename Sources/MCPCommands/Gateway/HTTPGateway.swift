internal import Commands
internal import Core
internal import Gateway
internal import Logging
internal import MCPHTTP
internal import Terminal

/// A gateway for many clients over HTTP: every session has servers, and so containers, of its own, but for those that
/// say they are stateless, which all sessions share.
struct HTTPGateway: Sendable {
    let options: ListenOptions
    let style: StreamableServer.Style
    let port: Int
    let gateway: Gateway
    let err: Console.Output

    /// Serves until cancelled.
    ///
    /// - Throws: `.conflict` when the port is taken; why the servers cannot start, when not one can.
    func run(_ paths: Paths) async throws { try await serve(paths) }

    private func serve(_ paths: Paths) async throws {
        let (authorization, note) = try authorize(paths)
        let (listening, ready) = (Promise<Void>(), Promise<Void>())
        var logger = Logger(label: "docker-mcp")
        logger.logLevel = .notice
        let server = StreamableServer(
            configuration: .init(
                host: options.host, port: port, style: style, authorization: authorization,
                isReady: { if case .success? = ready.current { true } else { false } },
                onListening: { port in
                    let path = style == .sse ? "sse" : "mcp"
                    err.print("> Gateway URL: http://\(shownHost):\(port)/\(path)")
                    err.print(note)
                    err.print("> Start \(style == .sse ? "sse" : "streaming") server on port \(port)")
                    listening.fulfil(.success(()))
                }), logger: logger
        ) { session in
            try await gateway.serve(over: session)
        }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await server.run()
                return true
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

    /// Starts servers of which nothing is known before any client asks: images are fetched, and what cannot work is known.
    private func rehearse() async throws {
        try await gateway.waitUntilListed()
        await gateway.releaseOwn()
    }

    /// Who may come in, and how people are told.
    private func authorize(_ paths: Paths) throws -> (Authorization, note: String) {
        let isLocal = StreamableServer.isLoopback(options.host)
        if !isLocal {
            err.print("Warning: listening on \(options.host): everybody on that network reaches the gateway".printable)
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
