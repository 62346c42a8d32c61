internal import Core
internal import NIOCore
internal import NIOHTTP1

/// What has become of one request to an engine: the answer comes in as fast as its consumer takes it. Lives on the event
/// loop of its connection.
final class EngineAnswer {
    private enum Phase {
        case head, body, ended
        case failed(any Error)
    }

    /// Bytes that wait for a consumer. A small answer is there as a whole before anybody looks.
    private static let maximumWaiting = 64 << 10

    /// Kept until the head has come: where a kept connection turns out to be closed, it is sent again.
    private(set) var request: (head: HTTPRequestHead, body: ByteBuffer)?
    var connection: EngineConnection?
    private var phase = Phase.head
    private var head: HTTPResponseHead?
    private var headWaiter: CheckedContinuation<HTTPResponseHead, any Error>?
    private var endWaiter: CheckedContinuation<Void, any Error>?
    private var waiting = CircularBuffer<ByteBuffer>(initialCapacity: 2)
    private var waitingBytes = 0
    private var consumer: (any EngineConsumer)?

    init(_ head: HTTPRequestHead, body: ByteBuffer) { request = (head, body) }

    // MARK: What its owner asks for

    /// - Returns: whether it makes sense to connect.
    func awaitHead(_ waiter: CheckedContinuation<HTTPResponseHead, any Error>) -> Bool {
        if case .failed(let error) = phase {
            waiter.resume(throwing: error)
            return false
        }
        headWaiter = waiter
        return true
    }

    /// The whole body, where it has come already and nobody has taken any of it.
    var whole: ByteBuffer? {
        guard case .ended = phase, consumer == nil else { return nil }
        guard var body = waiting.popFirst() else { return ByteBuffer() }
        while let next = waiting.popFirst() { body.writeImmutableBuffer(next) }
        waiting.append(body)
        return body
    }

    func forward(to consumer: any EngineConsumer, _ waiter: CheckedContinuation<Void, any Error>) {
        if case .failed(let error) = phase {
            // What had come before counts.
            while let bytes = waiting.popFirst(), (try? consumer.take(bytes)) != nil {}
            consumer.flush()
            return waiter.resume(throwing: error)
        }
        self.consumer = consumer
        endWaiter = waiter
        do {
            while let bytes = waiting.popFirst() { try consumer.take(bytes) }
            waitingBytes = 0
            if case .ended = phase { try complete() } else { consumer.flush() }
        } catch { fail(error) }
        connection?.resume()
    }

    /// Ends the exchange wherever it is; whoever waits for it gets the error.
    func fail(_ error: any Error) {
        switch phase {
        case .failed: return
        case .ended where endWaiter == nil: return
        case .head, .body, .ended: phase = .failed(error)
        }
        (consumer, request) = (nil, nil)
        headWaiter?.resume(throwing: error)
        endWaiter?.resume(throwing: error)
        (headWaiter, endWaiter) = (nil, nil)
        connection?.close()
        connection = nil
    }

    private func complete() throws {
        try consumer?.end()
        endWaiter?.resume()
        endWaiter = nil
    }

    private func deliverHead() {
        guard let head, let waiter = headWaiter else { return }
        headWaiter = nil
        waiter.resume(returning: head)
    }

    // MARK: What the connection brings

    var mayRead: Bool {
        if let consumer { return consumer.isReady }
        return waitingBytes < Self.maximumWaiting
    }

    func take(_ part: HTTPClientResponsePart) {
        switch (part, phase) {
        case (.head(let head), .head):
            self.head = head
            request = nil
            phase = .body
        case (.body(let bytes), .body):
            guard let consumer else {
                waiting.append(bytes)
                waitingBytes += bytes.readableBytes
                return
            }
            do { try consumer.take(bytes) } catch { fail(error) }
        case (.end, .body):
            phase = .ended
            // The connection is free before anybody hears of the end, for whoever asks next.
            connection?.finish()
            connection = nil
            deliverHead()
            do { try complete() } catch { fail(error) }
        default: break
        }
    }

    func readComplete() {
        // Not with the head itself: what comes together can be passed on together.
        deliverHead()
        if case .body = phase { consumer?.flush() }
    }

    func brokeOff(_ cause: (any Error)?) {
        fail(Failure(.internalError, "the engine broke off its answer", cause: cause))
    }
}
