internal import Core
internal import NIOCore
internal import NIOPosix
internal import SystemPackage

extension Engine {
    /// Attaches to a container's streams for as long as `body` runs.
    ///
    /// Attach before the start: what a container writes earlier is lost. The HTTP connection is taken over after the
    /// answer's head, which no HTTP client offers, so this speaks to the socket itself.
    package func withAttached<R: Sendable>(
        _ id: String, _ body: @escaping @Sendable (Attachment) async throws -> R
    ) async throws -> R {
        let (channel, accepted) = try await openConnection()
        return try await channel.executeThenClose { inbound, outbound in
            var request = ByteBuffer()
            request.writeString(
                "POST /v\(version)/containers/\(Self.escaped(id))/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\n"
                    + "Host: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n")
            try await outbound.write(request)
            // A future knows nothing of cancellation; a closed channel fails it.
            try await withTaskCancellationHandler {
                do { try await accepted.get() } catch {
                    try Task.checkCancellation()
                    throw error
                }
            } onCancel: {
                channel.channel.close(promise: nil)
            }
            return try await body(Attachment(output: .init(bytes: inbound), writer: outbound))
        }
    }

    private func openConnection() async throws -> (NIOAsyncChannel<ByteBuffer, ByteBuffer>, EventLoopFuture<Void>) {
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let accepted = loop.makePromise(of: Void.self)
        let bootstrap = ClientBootstrap(group: loop).connectTimeout(.seconds(10))
        let initialize: @Sendable (any Channel) -> EventLoopFuture<NIOAsyncChannel<ByteBuffer, ByteBuffer>> = {
            channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(HijackHandler(accepted: accepted))
                return try NIOAsyncChannel(
                    wrappingChannelSynchronously: channel,
                    configuration: .init(isOutboundHalfClosureEnabled: true))
            }
        }
        do {
            let channel =
                switch endpoint {
                case .unix(let path):
                    try await bootstrap.connect(unixDomainSocketPath: path.string, channelInitializer: initialize)
                case .tcp(let host, let port):
                    try await bootstrap.connect(host: host, port: port, channelInitializer: initialize)
                }
            return (channel, accepted.futureResult)
        } catch {
            accepted.fail(error)
            throw Self.unreachable(endpoint, error)
        }
    }
}
