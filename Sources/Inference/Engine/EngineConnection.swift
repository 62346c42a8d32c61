internal import Core
internal import NIOCore
internal import NIOHTTP1

/// A connection to an engine: one answer after the other. Lives on its event loop.
final class EngineConnection: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = Never
    typealias OutboundOut = HTTPClientRequestPart

    private var context: ChannelHandlerContext?
    private var answer: EngineAnswer?
    /// Called with the answer when a kept connection turns out to be closed before anything of it has come.
    private var onStale: ((EngineAnswer) -> Void)?
    private let pool: EnginePool
    private let address: EngineAddress
    private var mayBeKept = false
    /// NIO wanted to read while nobody could take anything.
    private var isReadHeld = false

    /// - Parameter pool: where it goes after its answer, for whoever asks next.
    init(for answer: EngineAnswer, at address: EngineAddress, in pool: EnginePool) {
        self.answer = answer
        self.address = address
        self.pool = pool
        answer.connection = self
    }

    var isOpen: Bool { context?.channel.isActive ?? false }

    /// Asks again on a connection that was kept.
    func ask(for answer: EngineAnswer, onStale: @escaping (EngineAnswer) -> Void) {
        self.answer = answer
        self.onStale = onStale
        answer.connection = self
        if let context { send(context) }
        resume()
    }

    func resume() {
        guard isReadHeld, mayRead else { return }
        isReadHeld = false
        context?.read()
    }

    func close() {
        (answer, onStale) = (nil, nil)
        context?.close(promise: nil)
    }

    /// The answer has ended.
    func finish() {
        (answer, onStale) = (nil, nil)
        if mayBeKept { pool.park(self, address) } else { context?.close(promise: nil) }
    }

    private var mayRead: Bool { answer?.mayRead ?? true }

    private func send(_ context: ChannelHandlerContext) {
        guard let (head, body) = answer?.request else {
            // Whoever wanted it has left meanwhile.
            return context.close(promise: nil)
        }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if body.readableBytes > 0 { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        pool.opened(address)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        pool.closed(address)
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        send(context)
    }

    func read(context: ChannelHandlerContext) {
        if mayRead { context.read() } else { isReadHeld = true }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        guard let answer else {
            // Nobody has asked anything.
            return context.close(promise: nil)
        }
        if case .head(let head) = part {
            onStale = nil
            // Only where the length was told: llama.cpp's server closes the connection of a stream without a word.
            mayBeKept = head.isKeepAlive && head.headers.contains(name: "content-length")
        }
        answer.take(part)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        answer?.readComplete()
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(nil)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(error)
        context.close(promise: nil)
    }

    private func end(_ error: (any Error)?) {
        guard let answer, answer.connection === self else { return }
        self.answer = nil
        answer.connection = nil
        if let onStale {
            onStale(answer)
        } else {
            answer.brokeOff(error)
        }
    }
}
