internal import Core
internal import HummingbirdCore
internal import Logging
internal import NIOCore

/// HTTP/1.1 connections whose requests are handled on their own event loop; see `OffLoop` for those that are not.
struct LoopChannel: ServerChildChannel {
    let base: HTTP1Channel

    static let builder = HTTPServerBuilder { responder in
        LoopChannel(
            base: HTTP1Channel(
                responder: responder, configuration: .init(additionalChannelHandlers: [ClientConnection()])))
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        base.setup(channel: channel, logger: logger).map { value in
            channel.keepUntilClosed(value)
            return value
        }
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async {
        let eventLoop = value.channel.eventLoop
        let task = Task(executorPreference: LoopExecutor(eventLoop)) {
            await base.handle(value: value, logger: logger)
        }
        await withTaskCancellationHandler {
            eventLoop.execute {
                let connection = try? value.channel.pipeline.syncOperations.handler(type: ClientConnection.self)
                connection?.cancelTask = { task.cancel() }
            }
            await task.value
        } onCancel: {
            task.cancel()
        }
    }
}
