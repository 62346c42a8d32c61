internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// A proxy in this process that takes `CONNECT` and leads to one port of this machine, whatever it is asked for.
package final class ScriptedProxy: Sendable {
    private let seen = Mutex<[String]>([])
    package let port: Int

    private init(port: Int) { self.port = port }

    /// The heads of the requests, in order.
    package var heads: [String] { seen.withLock { $0 } }

    fileprivate func note(_ head: String) { seen.withLock { $0.append(head) } }

    /// Runs a proxy to `target` while the body runs.
    package static func run<R>(to target: Int, _ body: (ScriptedProxy) async throws -> R) async throws -> R {
        let place = Mutex<ScriptedProxy?>(nil)
        let bootstrap = ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { child in
                child.eventLoop.makeCompletedFuture {
                    try child.pipeline.syncOperations.addHandler(
                        ProxyHandler(target: target) { head in place.withLock { $0 }?.note(head) })
                }
            }
        let channel = try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
        let proxy = ScriptedProxy(port: channel.localAddress?.port ?? 0)
        place.withLock { $0 = proxy }
        let result: Result<R, any Error>
        do { result = .success(try await body(proxy)) } catch { result = .failure(error) }
        try await channel.close()
        return try result.get()
    }
}

/// Reads a request's head, connects, and passes bytes on from then on.
private final class ProxyHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let target: Int
    private let note: (String) -> Void
    private var pending = ByteBuffer()
    private var isConnecting = false
    private var partner: (any Channel)?

    init(target: Int, note: @escaping (String) -> Void) {
        self.target = target
        self.note = note
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if let partner {
            partner.writeAndFlush(bytes, promise: nil)
            return
        }
        pending.writeBuffer(&bytes)
        let text = String(buffer: pending)
        guard !isConnecting, let end = text.firstRange(of: "\r\n\r\n") else { return }
        isConnecting = true
        note(String(text[..<end.lowerBound]))
        pending.moveReaderIndex(forwardBy: text[..<end.upperBound].utf8.count)
        let client = context.channel
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        ClientBootstrap(group: context.eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(BackHandler(client: client))
                }
            }
            .connect(host: "127.0.0.1", port: target).whenComplete { result in
                let (handler, context) = bound.value
                guard case .success(let channel) = result else { return context.close(promise: nil) }
                handler.partner = channel
                context.writeAndFlush(
                    handler.wrapOutboundOut(ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\n")), promise: nil)
                if handler.pending.readableBytes > 0 { channel.writeAndFlush(handler.pending, promise: nil) }
            }
    }

    func channelInactive(context: ChannelHandlerContext) { partner?.close(promise: nil) }
}

private final class BackHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let client: any Channel

    init(client: any Channel) { self.client = client }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        client.writeAndFlush(unwrapInboundIn(data), promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { client.close(promise: nil) }
}
