internal import Core
internal import HTTPTypes
internal import NIOCore
internal import NIOHTTPTypes

/// A client's connection as its requests see it: whether it has gone away, whether it can take more. Lives on the
/// connection's event loop.
///
/// A half-closed connection counts as ended, as in most HTTP servers: nobody who waits for an answer does that.
final class ClientConnection: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// Fulfilled when the client has gone away.
    let disconnection = Promise<Void>()
    /// Called when the connection can be written to again.
    var onWritable: (() -> Void)?
    /// Cancels the task that handles the connection's requests.
    var cancelTask: (@Sendable () -> Void)?
    /// Whether the client's going away cancels that task: while an answer is made for nobody else.
    private var isCancelling = false

    /// The client has gone away, or nothing would notice any more if it did.
    ///
    /// - Throws: `CancellationError` where it is gone already.
    func cancelWhenGone() throws {
        if disconnection.current != nil { throw CancellationError() }
        isCancelling = true
    }

    /// A body as large as this is sent only when it was asked for; it is read in any case.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head(let head) = unwrapInboundIn(data), head.headerFields[.expect]?.lowercased() == "100-continue" {
            context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { isCancelling = false }
        context.write(data, promise: promise)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { onWritable?() }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { gone() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        gone()
        context.fireChannelInactive()
    }

    private func gone() {
        disconnection.fulfil(.success(()))
        onWritable = nil
        if isCancelling { cancelTask?() }
    }
}
