internal import Core
internal import NIOCore
internal import NIOHTTP1

/// Reads the answer to an upgrade request, then leaves: what follows the head is the container's, not HTTP.
final class HijackHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private static let maximumRefusal = 64 << 10

    private enum State {
        case head(HijackHead)
        /// The engine says no; its reason is read until it is complete or the connection closes.
        case refusal(HijackHead.Parsed, ByteBuffer)
        case done
    }

    private var state = State.head(HijackHead())
    private let accepted: EventLoopPromise<Void>

    init(accepted: EventLoopPromise<Void>) { self.accepted = accepted }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        switch state {
        case .done: context.fireChannelRead(data)
        case .head(var head):
            do {
                guard let parsed = try head.append(bytes) else {
                    state = .head(head)
                    return
                }
                if parsed.isUpgraded {
                    state = .done
                    accepted.succeed()
                    if parsed.rest.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(parsed.rest)) }
                    context.pipeline.syncOperations.removeHandler(self, promise: nil)
                } else {
                    state = .refusal(parsed, parsed.rest)
                    finishIfComplete(context)
                }
            } catch {
                fail(error, context)
            }
        case .refusal(let parsed, var body):
            body.writeBuffer(&bytes)
            state = .refusal(parsed, body)
            finishIfComplete(context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        switch state {
        case .head: fail(Failure(.unavailable, "the Docker Engine closed the connection"), context)
        case .refusal(let parsed, let body): fail(Engine.failure(status: parsed.status, body: body), context)
        case .done: break
        }
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        if case .done = state { return }
        accepted.fail(Failure(.unavailable, "the connection to the Docker Engine broke"))
    }

    private func finishIfComplete(_ context: ChannelHandlerContext) {
        guard case .refusal(let parsed, let body) = state else { return }
        if body.readableBytes >= min(parsed.contentLength ?? .max, Self.maximumRefusal) {
            fail(Engine.failure(status: parsed.status, body: body), context)
        }
    }

    private func fail(_ error: any Error, _ context: ChannelHandlerContext) {
        state = .done
        accepted.fail(error)
        context.close(promise: nil)
    }
}
