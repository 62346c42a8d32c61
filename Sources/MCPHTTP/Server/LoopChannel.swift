internal import Core
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import NIOHTTPTypes

/// HTTP/1.1 connections whose requests are handled on their own event loop, as are the sessions that they open.
struct LoopChannel: ServerChildChannel {
    let base: HTTP1Channel

    static func builder(_ handlers: @escaping @Sendable () -> [any RemovableChannelHandler]) -> HTTPServerBuilder {
        HTTPServerBuilder { responder in
            LoopChannel(
                base: HTTP1Channel(
                    responder: responder, configuration: .init(additionalChannelHandlers: handlers())))
        }
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        base.setup(channel: channel, logger: logger).map { value in
            channel.keepUntilClosed(value)
            return value
        }
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async {
        await withTaskExecutorPreference(LoopExecutor(value.channel.eventLoop)) {
            await base.handle(value: value, logger: logger)
        }
    }
}
