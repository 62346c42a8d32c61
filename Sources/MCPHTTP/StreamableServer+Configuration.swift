extension StreamableServer {
    package enum Style: Sendable, Hashable {
        /// Streamable HTTP at `/mcp`.
        case streaming
        /// HTTP with server-sent events at `/sse`, as in the revision of 2024-11-05.
        case sse
    }

    package struct Limits: Sendable {
        package var sessions = 256
        /// After so long without a request or an open stream a session ends.
        package var idle = Duration.seconds(30 * 60)
        /// Bytes a message may have.
        package var body = 64 << 20
        /// Bytes that may wait for a client on one stream before the server waits for it.
        package var queue = 1 << 20
        /// How often silent streams get a sign of life.
        package var keepAlive = Duration.seconds(15)
        /// How long answers may go on when the server shuts down.
        package var drain = Duration.seconds(5)

        package init() {}
    }

    package struct Configuration: Sendable {
        /// The address to listen on.
        package var host: String
        /// 0: any free port.
        package var port: Int
        package var style: Style
        package var authorization: Authorization
        package var limits: Limits
        /// What `/health` answers.
        package var isReady: @Sendable () -> Bool
        /// Called with the port when it listens.
        package var onListening: @Sendable (Int) async -> Void

        package init(
            host: String = "127.0.0.1", port: Int, style: Style, authorization: Authorization,
            limits: Limits = Limits(), isReady: @escaping @Sendable () -> Bool = { true },
            onListening: @escaping @Sendable (Int) async -> Void = { _ in }
        ) {
            self.host = host
            self.port = port
            self.style = style
            self.authorization = authorization
            self.limits = limits
            self.isReady = isReady
            self.onListening = onListening
        }
    }
}
