internal import Hummingbird
internal import Logging
internal import NIOCore

/// A web server in this process, on a loopback port that nobody else has.
enum LoopbackApplication {
    /// Serves while the body runs.
    ///
    /// - Parameter onPort: told the port before the body begins.
    static func run(
        label: String, answer: @escaping @Sendable (Request) async throws -> Response,
        onPort: @escaping @Sendable (Int) -> Void, _ body: () async throws -> Void
    ) async throws {
        let (running, started) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingOldest(1))
        var logger = Logger(label: label)
        logger.logLevel = .critical
        let app = Application(
            responder: CallbackResponder<BasicRequestContext> { request, _ in try await answer(request) },
            configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in
                onPort(channel.localAddress?.port ?? 0)
                started.finish()
            }, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { started.finish() }
                try await app.run()
            }
            for await _ in running {}
            defer { group.cancelAll() }
            try await body()
        }
    }
}
