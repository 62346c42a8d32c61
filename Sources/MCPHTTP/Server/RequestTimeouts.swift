internal import NIOCore
internal import NIOHTTPTypes

/// How long a client may take over its request; the pure part of `RequestTimeouts`.
struct RequestPace: Sendable {
    enum Phase: Sendable, Hashable {
        /// Nothing of a request is there yet.
        case head(limit: Duration)
        /// The body is coming in; so many bytes so far.
        case body(received: Int)
        /// The request is whole; how long the answer takes is the server's business.
        case answer
    }

    let limits: StreamableServer.Limits
    private(set) var phase: Phase
    private var start: ContinuousClock.Instant

    init(_ limits: StreamableServer.Limits, now: ContinuousClock.Instant) {
        self.limits = limits
        phase = .head(limit: limits.head)
        start = now
    }

    mutating func head(now: ContinuousClock.Instant) { (phase, start) = (.body(received: 0), now) }

    mutating func body(_ count: Int) {
        if case .body(let received) = phase { phase = .body(received: received + count) }
    }

    mutating func end() { phase = .answer }

    /// The answer is out; the connection may be used again.
    mutating func answered(now: ContinuousClock.Instant) {
        // An answer may come before the whole request has.
        if case .answer = phase { (phase, start) = (.head(limit: limits.rest), now) }
    }

    /// When the connection has to be closed if nothing more comes until then; nil for not at all.
    var deadline: ContinuousClock.Instant? {
        switch phase {
        case .head(let limit): start + limit
        case .body(let received): start + limits.bodyTime + .seconds(1) * (Double(received) / Double(limits.bodyRate))
        case .answer: nil
        }
    }
}

/// Closes connections whose clients take for ever over a request, so that nobody holds them for nothing.
final class RequestTimeouts: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private var pace: RequestPace
    private var timer: Scheduled<Void>?

    init(_ limits: StreamableServer.Limits) { pace = RequestPace(limits, now: .now) }

    func handlerAdded(context: ChannelHandlerContext) { watch(context) }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head: pace.head(now: .now)
        case .body(let bytes): pace.body(bytes.readableBytes)
        case .end: pace.end()
        }
        watch(context)
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) {
            pace.answered(now: .now)
            watch(context)
        }
        context.write(data, promise: promise)
    }

    /// One timer at most, which looks again when it comes too early.
    private func watch(_ context: ChannelHandlerContext) {
        guard timer == nil, let deadline = pace.deadline else { return }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(in: .init(max(.zero, deadline - .now))) {
            let (handler, context) = bound.value
            handler.timer = nil
            guard let deadline = handler.pace.deadline else { return }
            if deadline <= .now { context.close(promise: nil) } else { handler.watch(context) }
        }
    }
}

@available(*, unavailable)
extension RequestTimeouts: Sendable {}
