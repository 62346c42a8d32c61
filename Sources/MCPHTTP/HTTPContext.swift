internal import Core
internal import Hummingbird
internal import NIOCore

/// A request's surroundings: also the connection it came on, so that its end can be noticed.
struct HTTPContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    private let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }

    /// Fulfilled when the client has gone away.
    func disconnection() async throws -> Promise<Void> {
        let channel = channel
        return try await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: DisconnectHandler.self).disconnection
        }.get()
    }
}

/// Notices the end of a connection while nothing is read from it, as on a stream that is only written to.
///
/// A half-closed connection counts as ended: nobody who waits for events does that.
final class DisconnectHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    let disconnection = Promise<Void>()

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { disconnection.fulfil(.success(())) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        disconnection.fulfil(.success(()))
        context.fireChannelInactive()
    }
}
