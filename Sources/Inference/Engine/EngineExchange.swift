internal import Core
package import NIOCore
package import NIOHTTP1
internal import NIOPosix
internal import SystemPackage

/// One request to an engine and its answer.
///
/// There is no time limit on an answer. Nothing is buffered but what one read brings: an engine whose answer nobody takes
/// is not read from. Cancelling the task that waits, or dropping the exchange, closes the connection at once, which ends
/// the generation. A stream has a connection of its own; those of whole answers are used again within a moment.
package final class EngineExchange: Sendable {
    package let eventLoop: any EventLoop
    private let answer: NIOLoopBoundBox<EngineAnswer>

    private init(_ head: HTTPRequestHead, body: ByteBuffer, on eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        answer = NIOLoopBoundBox.makeBoxSendingValue(EngineAnswer(head, body: body), eventLoop: eventLoop)
    }

    /// Connects, sends the request, and waits for the answer's head.
    ///
    /// - Parameters:
    ///   - head: with every header that the engine needs, `content-length` too.
    ///   - eventLoop: where the connection lives, best that of the client whose answer it is.
    package static func begin(
        _ head: HTTPRequestHead, body: ByteBuffer, to address: EngineAddress, on eventLoop: any EventLoop
    ) async throws -> (EngineExchange, HTTPResponseHead) {
        let exchange = EngineExchange(head, body: body, on: eventLoop)
        let head = try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { waiter in
                exchange.onLoop { answer in
                    if answer.awaitHead(waiter) { exchange.ask(address, answer) }
                }
            }
        } onCancel: {
            exchange.cancel()
        }
        return (exchange, head)
    }

    /// The whole body, where it has come already. Only on the event loop.
    package var whole: ByteBuffer? { answer.value.whole }

    /// The body as one, at most so many bytes.
    package func collect(upTo limit: Int) async throws -> ByteBuffer {
        let collector = NIOLoopBoundBox.makeBoxSendingValue(EngineCollector(limit: limit), eventLoop: eventLoop)
        try await forward { collector.value }
        return try await eventLoop.flatSubmit { [eventLoop] in
            eventLoop.makeSucceededFuture(collector.value.body)
        }.get()
    }

    /// Passes the body on until its end.
    ///
    /// - Parameter consumer: makes it, on the event loop.
    /// - Throws: what the consumer threw; `.internalError` when the engine broke off; `CancellationError`.
    package func forward(to consumer: @escaping @Sendable () throws -> any EngineConsumer) async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { waiter in
                onLoop { answer in
                    do { answer.forward(to: try consumer(), waiter) } catch {
                        waiter.resume(throwing: error)
                        answer.fail(error)
                    }
                }
            }
        } onCancel: {
            cancel()
        }
    }

    /// The consumer is ready again.
    package func resume() { onLoop { $0.connection?.resume() } }

    /// Closes the connection; whoever waits gets `CancellationError`.
    package func cancel() {
        let answer = answer
        // Never at once: a task that is being cancelled must not be resumed from within.
        eventLoop.execute { answer.value.fail(CancellationError()) }
    }

    deinit { cancel() }

    private func onLoop(_ body: @escaping @Sendable (EngineAnswer) -> Void) {
        if eventLoop.inEventLoop {
            body(answer.value)
        } else {
            eventLoop.execute { body(self.answer.value) }
        }
    }

    // MARK: Connecting

    private static let connectTimeout = TimeAmount.seconds(10)
    /// How often a full queue of connections is tried again, with a pause of a millisecond more each time.
    private static let attempts = 60

    private func ask(_ address: EngineAddress, _ answer: EngineAnswer) {
        guard let kept = EnginePool.of(eventLoop).take(address) else { return connect(to: address, attempt: 0) }
        kept.ask(for: answer) { [self] _ in connect(to: address, attempt: 0) }
    }

    private func connect(to address: EngineAddress, attempt: Int) {
        let (answer, eventLoop) = (answer, eventLoop)
        let bootstrap = ClientBootstrap(group: eventLoop).connectTimeout(Self.connectTimeout)
            // What has come is passed on; whether there is more, the next round of the loop tells.
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHTTPClientHandlers(leftOverBytesStrategy: .dropBytes)
                    try pipeline.addHandler(
                        EngineConnection(for: answer.value, at: address, in: EnginePool.of(eventLoop)))
                }
            }
        let connected: EventLoopFuture<any Channel>
        switch address {
        case .unix(let path): connected = bootstrap.connect(unixDomainSocketPath: path.string)
        case .loopback(let port):
            do {
                connected = bootstrap.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: port))
            } catch { connected = eventLoop.makeFailedFuture(error) }
        }
        connected.whenFailure { error in
            if let error = error as? IOError, error.errnoCode == Errno.resourceTemporarilyUnavailable.rawValue,
                attempt < Self.attempts
            {
                // So many connect at once that the engine's queue is full.
                eventLoop.scheduleTask(in: .milliseconds(Int64(attempt + 1))) {
                    self.connect(to: address, attempt: attempt + 1)
                }
            } else {
                let cause = (error as? IOError).map { Errno(rawValue: $0.errnoCode) as any Error } ?? error
                answer.value.fail(Failure(.unavailable, "cannot connect to the engine", cause: cause))
            }
        }
    }
}
