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

/// Closes connections whose clients take for ever over a request, or over reading the answer, so that nobody holds them
/// for nothing.
final class RequestTimeouts: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private var pace: RequestPace
    private var timer: Scheduled<Void>?
    /// Runs while more waits to be read than the connection takes.
    private var stall: Scheduled<Void>?

    init(_ limits: StreamableServer.Limits) { pace = RequestPace(limits, now: .now) }

    func handlerAdded(context: ChannelHandlerContext) { watch(context) }

    func handlerRemoved(context: ChannelHandlerContext) { cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        cancel()
        context.fireChannelInactive()
    }

    private func cancel() {
        timer?.cancel()
        stall?.cancel()
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
        guard case .end = unwrapOutboundIn(data) else { return context.write(data, promise: promise) }
        let written = promise ?? context.eventLoop.makePromise()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        written.futureResult.whenSuccess {
            let (handler, context) = bound.value
            handler.pace.answered(now: .now)
            handler.watch(context)
        }
        context.write(data, promise: written)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        stall?.cancel()
        stall = nil
        if !context.channel.isWritable { watchReading(context, waiting: nil) }
        context.fireChannelWritabilityChanged()
    }

    /// Whoever reads nothing for long holds the memory of what waits.
    private func watchReading(_ context: ChannelHandlerContext, waiting: Int?) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        stall = context.eventLoop.scheduleTask(in: .init(pace.limits.stall)) {
            let (handler, context) = bound.value
            let now = try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)
            guard let now, now > 0 else { return }
            if now == waiting { return context.close(promise: nil) }
            handler.watchReading(context, waiting: now)
        }
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
