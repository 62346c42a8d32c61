package import Inference
package import SystemPackage

extension RunnerServer {
    package struct Configuration: Sendable {
        /// nil: no unix socket.
        package var socket: FilePath?
        /// Where this machine's own clients and, if it is no loopback address, those with a key come.
        package var host: String
        /// Addresses of this machine that only its containers reach; they may ask models.
        package var bridges: [String]
        /// Another port for the same, for tools that expect Ollama's.
        package var ollamaPort: Int?
        package var tls: TLS?
        /// The API's keys; nil: there are none.
        package var keys: KeyFile?
        /// Whether TCP shows recorded requests too.
        package var showsRequests: Bool
        /// After how long a stream that waits for its model begins with a comment, and how often another one comes.
        package var heartbeat: Duration
        /// nil: no TCP. 0: any free port.
        package var port: Int?
        /// Ends the daemon when nothing was asked of it for so long.
        package var idleExit: Duration?
        /// Origins of web pages that may call, beside this machine's own.
        package var allowedOrigins: Set<String>
        package var version: String
        /// The file that its output goes to, for `/logs`; nil when that is somebody else's to show.
        package var log: FilePath?
        /// The file that keeps what is configured for models; nil: not longer than the daemon.
        package var modelConfigurations: FilePath?
        /// Whether SIGTERM and SIGINT end it gracefully.
        package var handlesSignals: Bool
        /// How long requests may go on after that.
        package var drain: Duration
        /// Bytes that a request for inference may have.
        package var maximumRequest: Int
        package var scheduler: Scheduler.Configuration
        /// Called for each address when it listens.
        package var onListening: @Sendable (Address) async -> Void

        /// Pictures come inline.
        package static let standardMaximumRequest = 128 << 20

        package init(
            socket: FilePath? = nil, host: String = "127.0.0.1", port: Int? = nil, idleExit: Duration? = nil,
            allowedOrigins: Set<String> = [], version: String = "0", log: FilePath? = nil,
            modelConfigurations: FilePath? = nil, handlesSignals: Bool = false,
            drain: Duration = .seconds(10), maximumRequest: Int = Self.standardMaximumRequest,
            scheduler: Scheduler.Configuration = .init(),
            onListening: @escaping @Sendable (Address) async -> Void = { _ in }
        ) {
            self.socket = socket
            self.host = host
            (bridges, showsRequests, heartbeat) = ([], false, .seconds(5))
            self.port = port
            self.idleExit = idleExit
            self.allowedOrigins = allowedOrigins
            self.version = version
            self.log = log
            self.modelConfigurations = modelConfigurations
            self.handlesSignals = handlesSignals
            self.drain = drain
            self.maximumRequest = maximumRequest
            self.scheduler = scheduler
            self.onListening = onListening
        }
    }

    /// A second door over TLS.
    package struct TLS: Sendable {
        package var port: Int
        /// PEM files.
        package var certificate: FilePath
        package var key: FilePath

        package init(port: Int, certificate: FilePath, key: FilePath) {
            self.port = port
            self.certificate = certificate
            self.key = key
        }
    }

    package enum Address: Sendable, Hashable {
        case unix(FilePath)
        case tcp(host: String, port: Int, isEncrypted: Bool = false)
    }

    package static let defaultPort = 12434
    package static let defaultTLSPort = 12444
}
