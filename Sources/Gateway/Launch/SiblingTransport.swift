internal import Core
internal import MCP
internal import NIOCore
internal import NIOPosix

/// MCP over a plain TCP connection, a message a line: how a gateway in a container reaches servers that somebody else
/// has started beside it (`--static`).
struct SiblingTransport: Transport {
    static let port = 4444

    private let host: String
    private let port: Int

    init(host: String, port: Int = port) {
        self.host = host
        self.port = port
    }

    func connect<R: Sendable>(
        _ body: (LineMessages<Inbound>, @escaping SendMessage) async throws -> R
    ) async throws -> R {
        let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>
        do {
            channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(.seconds(10))
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .connect(host: host, port: port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel(wrappingChannelSynchronously: channel)
                    }
                }
        } catch {
            throw Failure(
                .unavailable, "nothing answers at \(host):\(port)", cause: error,
                advice: "With --static each server is started beside the gateway, under the name mcp-SERVER.")
        }
        return try await channel.executeThenClose { inbound, outbound in
            try await body(LineMessages(Inbound(base: inbound))) { message, _ in
                var line = message
                line.writeString("\n")
                try await outbound.write(line)
            }
        }
    }

    /// What the server says, as it comes.
    struct Inbound: AsyncSequence, Sendable {
        typealias Element = ByteBuffer
        fileprivate let base: NIOAsyncChannelInboundStream<ByteBuffer>

        func makeAsyncIterator() -> NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator {
            base.makeAsyncIterator()
        }
    }
}
