extension StreamableServer {
    package struct Limits: Sendable {
        package var sessions = 1024
        /// After so long without a request or an open stream a session ends.
        package var idle = Duration.seconds(30 * 60)
        /// Connections at once; more wait to be accepted.
        package var connections = 4096
        /// How long a connection may take to its first request's head, and rest between two requests.
        package var head = Duration.seconds(10)
        package var rest = Duration.seconds(75)
        /// How long a body may take, and the bytes a second that buy it more time.
        package var bodyTime = Duration.seconds(30)
        package var bodyRate = 64 << 10
        /// How long a client may read nothing while something waits for it.
        package var stall = Duration.seconds(60)
        /// How long a request may go unanswered before it becomes a stream of events that can be resumed.
        package var quick = Duration.milliseconds(50)
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
        /// Names beside the address that clients may use in `Host`.
        package var names: Set<String>
        package var authorization: Authorization
        /// Where connections are encrypted: the present certificate, asked for with each connection.
        package var certificate: (@Sendable () -> ServerCertificate)?
        package var limits: Limits
        /// The servers there are, for the routes of each.
        package var servers: @Sendable () -> Set<String>
        /// What `/ready` answers.
        package var isReady: @Sendable () -> Bool
        /// Called with the port when it listens.
        package var onListening: @Sendable (Int) async -> Void

        package init(
            host: String = "127.0.0.1", port: Int, names: Set<String> = [], authorization: Authorization,
            certificate: (@Sendable () -> ServerCertificate)? = nil, limits: Limits = Limits(),
            servers: @escaping @Sendable () -> Set<String> = { [] },
            isReady: @escaping @Sendable () -> Bool = { true },
            onListening: @escaping @Sendable (Int) async -> Void = { _ in }
        ) {
            self.host = host
            self.port = port
            self.names = names
            self.authorization = authorization
            self.certificate = certificate
            self.limits = limits
            self.servers = servers
            self.isReady = isReady
            self.onListening = onListening
        }
    }
}
