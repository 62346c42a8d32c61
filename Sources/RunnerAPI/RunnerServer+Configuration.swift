package import Inference
package import SystemPackage

extension RunnerServer {
    package struct Configuration: Sendable {
        /// nil: no unix socket.
        package var socket: FilePath?
        package var host: String
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

    package enum Address: Sendable, Hashable {
        case unix(FilePath)
        case tcp(host: String, port: Int)
    }

    package static let defaultPort = 12434
}
