internal import Core
internal import NIOCore
internal import NIOHTTP1

/// One exchange as its connection sees it: the request goes out when it is connected, the answer comes in as fast as its
/// consumer takes it. Lives on the connection's event loop.
final class EngineHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = Never
    typealias OutboundOut = HTTPClientRequestPart

    private enum Phase {
        case head, body, ended
        case failed(any Error)
    }

    /// Bytes that wait for a consumer. A small answer is there as a whole before anybody looks.
    private static let maximumWaiting = 64 << 10

    private var request: (head: HTTPRequestHead, body: ByteBuffer)?
    private var phase = Phase.head
    private(set) var head: HTTPResponseHead?
    private var headWaiter: CheckedContinuation<HTTPResponseHead, any Error>?
    private var endWaiter: CheckedContinuation<Void, any Error>?
    private var waiting = CircularBuffer<ByteBuffer>(initialCapacity: 2)
    private var waitingBytes = 0
    private var consumer: (any EngineConsumer)?
    private var context: ChannelHandlerContext?
    /// NIO wanted to read while nobody could take anything.
    private var isReadHeld = false

    init(_ head: HTTPRequestHead, body: ByteBuffer) { request = (head, body) }

    // MARK: What its owner asks for

    /// - Returns: whether it makes sense to connect.
    func awaitHead(_ waiter: CheckedContinuation<HTTPResponseHead, any Error>) -> Bool {
        if case .failed(let error) = phase {
            waiter.resume(throwing: error)
            return false
        }
        headWaiter = waiter
        return true
    }

    /// The whole body, where it has come already and nobody has taken any of it.
    var whole: ByteBuffer? {
        guard case .ended = phase, consumer == nil else { return nil }
        guard var body = waiting.popFirst() else { return ByteBuffer() }
        while let next = waiting.popFirst() { body.writeImmutableBuffer(next) }
        waiting.append(body)
        return body
    }

    func forward(to consumer: any EngineConsumer, _ waiter: CheckedContinuation<Void, any Error>) {
        if case .failed(let error) = phase { return waiter.resume(throwing: error) }
        self.consumer = consumer
        endWaiter = waiter
        do {
            while let bytes = waiting.popFirst() { try consumer.take(bytes) }
            waitingBytes = 0
            if case .ended = phase { try complete() } else { consumer.flush() }
        } catch { fail(error) }
        resume()
    }

    /// Reads on, if reading was held and there is somebody to take it.
    func resume() {
        guard isReadHeld, mayRead else { return }
        isReadHeld = false
        context?.read()
    }

    /// Ends the exchange wherever it is; whoever waits for it gets the error.
    func fail(_ error: any Error) {
        switch phase {
        case .failed: return
        case .ended where endWaiter == nil: return
        case .head, .body, .ended: phase = .failed(error)
        }
        (consumer, waiting, waitingBytes) = (nil, [], 0)
        headWaiter?.resume(throwing: error)
        endWaiter?.resume(throwing: error)
        (headWaiter, endWaiter) = (nil, nil)
        context?.close(promise: nil)
    }

    private func complete() throws {
        try consumer?.end()
        endWaiter?.resume()
        endWaiter = nil
    }

    private func deliverHead() {
        guard let head, let waiter = headWaiter else { return }
        headWaiter = nil
        waiter.resume(returning: head)
    }

    // MARK: The connection

    private var mayRead: Bool {
        if let consumer { return consumer.isReady }
        return waitingBytes < Self.maximumWaiting
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if case .failed = phase { context.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        // A connection that was tried again has another one by now.
        if self.context === context { self.context = nil }
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        guard let (head, body) = request else { return }
        request = nil
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if body.readableBytes > 0 { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func read(context: ChannelHandlerContext) {
        if mayRead { context.read() } else { isReadHeld = true }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch (unwrapInboundIn(data), phase) {
        case (.head(let head), .head):
            self.head = head
            phase = .body
        case (.body(let bytes), .body):
            guard let consumer else {
                waiting.append(bytes)
                waitingBytes += bytes.readableBytes
                return
            }
            do { try consumer.take(bytes) } catch { fail(error) }
        case (.end, .body):
            phase = .ended
            deliverHead()
            do { try complete() } catch { fail(error) }
            context.close(promise: nil)
        default: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // Not with the head itself: what comes together can be passed on together.
        deliverHead()
        if case .body = phase { consumer?.flush() }
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        if case .ended = phase {} else { fail(Self.brokeOff(nil)) }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .ended = phase {} else { fail(Self.brokeOff(error)) }
        context.close(promise: nil)
    }

    private static func brokeOff(_ cause: (any Error)?) -> Failure {
        Failure(.internalError, "the engine broke off its answer", cause: cause)
    }
}
