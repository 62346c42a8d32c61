package import NIOCore

/// Notices the end of a connection while nothing is read from it: during a load, a long answer, a stream of events.
///
/// A half-closed connection counts as ended, as in most HTTP servers: nobody who waits for an answer does that.
package final class DisconnectHandler: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = NIOAny

    private let disconnection = Promise<Void>()
    private var onEnd: () -> Void = {}

    package init() {}

    /// Has something done, on the connection's loop, when the other side of a connection has gone away, or at once where
    /// it has already. For the request under way: whoever comes later takes its place. To be called on the loop.
    package static func whenDisconnected(_ channel: any Channel, _ body: @escaping () -> Void) {
        guard let handler = try? channel.pipeline.syncOperations.handler(type: DisconnectHandler.self) else { return }
        if handler.disconnection.current == nil { handler.onEnd = body } else { body() }
    }

    /// Fulfilled when the other side of a connection with such a handler has gone away.
    ///
    /// - Throws: where the connection has no such handler.
    package static func disconnection(of channel: any Channel) async throws -> Promise<Void> {
        try await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: DisconnectHandler.self).disconnection
        }.get()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { end() }
        context.fireUserInboundEventTriggered(event)
    }

    package func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    private func end() {
        disconnection.fulfil(.success(()))
        onEnd()
        onEnd = {}
    }
}
