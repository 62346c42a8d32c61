internal import Core
internal import Hummingbird
internal import NIOCore

/// A request's surroundings: also the connection it came on, so that its end can be noticed.
struct Context: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel
    /// What the client has sent, where that has been read.
    var body: ByteBuffer?
    /// The API key that the request came with, where one is needed.
    var key: APIKey?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }

    /// Whether the client is on this machine by construction: a browser cannot reach a unix socket.
    var isUnixSocket: Bool { channel.localAddress?.protocol == .unix }

    /// Whom its connection lets in.
    func audience(_ bridges: Set<String>) -> Audience {
        Audience(local: channel.localAddress, remote: channel.remoteAddress, bridges: bridges)
    }

    /// Fulfilled when the client has gone away.
    func disconnection() async throws -> Promise<Void> { try await onConnection { $0.disconnection } }

    /// From here to the end of the answer the client's going away cancels the task that makes it.
    ///
    /// - Throws: `CancellationError` where it is gone already.
    func cancelWhenGone() async throws { try await onConnection { try $0.cancelWhenGone() } }

    private func onConnection<R: Sendable>(
        _ body: @escaping @Sendable (ClientConnection) throws -> R
    ) async throws -> R {
        let channel = channel
        if channel.eventLoop.inEventLoop {
            return try body(channel.pipeline.syncOperations.handler(type: ClientConnection.self))
        }
        return try await channel.eventLoop.submit {
            try body(channel.pipeline.syncOperations.handler(type: ClientConnection.self))
        }.get()
    }

    /// Runs `body`, and cancels it when the client goes away.
    ///
    /// - Throws: `CancellationError` where that happened.
    func whileConnected<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async throws -> R {
        let disconnection = try await disconnection()
        return try await withThrowingTaskGroup(of: R.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await disconnection.value
                throw CancellationError()
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw CancellationError() }
            return first
        }
    }
}
