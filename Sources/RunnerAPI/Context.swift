internal import Core
internal import Hummingbird
internal import NIOCore

/// A request's surroundings: also the connection it came on, so that its end can be noticed.
struct Context: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }

    /// Whether the client is on this machine by construction: a browser cannot reach a unix socket.
    var isUnixSocket: Bool { channel.localAddress?.protocol == .unix }

    /// Fulfilled when the client has gone away.
    func disconnection() async throws -> Promise<Void> {
        let channel = channel
        return try await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: DisconnectHandler.self).disconnection
        }.get()
    }

    /// Runs `body`, and cancels it when the client goes away.
    ///
    /// - Throws: `CancellationError` where that happened.
    func whileConnected<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async throws -> R {
        let disconnection = try await disconnection()
        return try await withThrowingTaskGroup(of: R.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await disconnection.value
                throw CancellationError()
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw CancellationError() }
            return first
        }
    }
}

/// Notices the end of a connection while nothing is read from it: during a load or a long answer.
///
/// A half-closed connection counts as ended, as in most HTTP servers: nobody who waits for an answer does that.
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
