package import NIOCore

/// Notices the end of a connection while nothing is read from it: during a load, a long answer, a stream of events.
///
/// A half-closed connection counts as ended, as in most HTTP servers: nobody who waits for an answer does that.
package final class DisconnectHandler: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = NIOAny

    private let disconnection = Promise<Void>()

    package init() {}

    /// Fulfilled when the other side of a connection with such a handler has gone away.
    ///
    /// - Throws: where the connection has no such handler.
    package static func disconnection(of channel: any Channel) async throws -> Promise<Void> {
        try await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: DisconnectHandler.self).disconnection
        }.get()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { disconnection.fulfil(.success(())) }
        context.fireUserInboundEventTriggered(event)
    }

    package func channelInactive(context: ChannelHandlerContext) {
        disconnection.fulfil(.success(()))
        context.fireChannelInactive()
    }
}
