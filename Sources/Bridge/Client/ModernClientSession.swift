package import Core
package import MCP
package import NIOCore
internal import Synchronization

/// One modern client towards the gateway: a session of the handshake era whose other end are single requests.
package final class ModernClientSession: Transport {
    /// What is said in answer to one request.
    package enum Reply: Sendable {
        case notification(RPC.Notification)
        case last(Result<RawJSON, RPC.Error>)
    }

    package typealias Exchange = ModernClient.Exchange

    /// More than a client can have waiting: what it asks and what it answers.
    private static let maximumWaiting = 4 * ModernClient.maximumExchanges

    private let identity: UInt64
    private let parking: Parking
    private let state: Mutex<ModernClient>
    private let next = Mutex(0)
    private let incoming = AsyncStream.makeStream(
        of: ByteBuffer.self, bufferingPolicy: .bufferingOldest(maximumWaiting))
    private let sink: @Sendable (Exchange, Reply) async -> Void
    private let log: @Sendable (String) -> Void
    private let onToolsChanged: @Sendable () -> Void

    /// - Parameters:
    ///   - principal: who is authenticated; states belong to it.
    ///   - onToolsChanged: told when the gateway says that its tools are others, whoever else is told.
    ///   - sink: says something to the client.
    package init(
        principal: String, parking: Parking, log: @escaping @Sendable (String) -> Void,
        onToolsChanged: @escaping @Sendable () -> Void = {},
        sink: @escaping @Sendable (Exchange, Reply) async -> Void
    ) {
        let identity = parking.makeIdentity()
        self.identity = identity
        self.parking = parking
        self.sink = sink
        self.log = log
        self.onToolsChanged = onToolsChanged
        state = Mutex(
            ModernClient(identity: identity, principal: principal, seal: parking.seal) { try parking.change($0) })
    }

    deinit { parking.forget(identity) }

    package func connect<R: Sendable>(
        _ body: (AsyncStream<ByteBuffer>, @escaping SendMessage) async throws -> R
    ) async throws -> R {
        defer { finish() }
        return try await body(incoming.stream) { [self] bytes, relation in
            let message = try RPC.Message(parsing: bytes)
            if case .notification(let note) = message, note.method == "notifications/tools/list_changed" {
                onToolsChanged()
            }
            let related: RPC.ID? = if case .request(let id) = relation { id } else { nil }
            await perform { $0.heard(message, relatedTo: related, now: $1) }
        }
    }

    package func makeExchange() -> Exchange {
        next.withLock { number in
            number += 1
            return Exchange(number)
        }
    }

    package func receive(_ request: RPC.Request, _ envelope: Envelope, on exchange: Exchange) async {
        await perform { $0.receive(request, envelope, on: exchange, now: $1) }
    }

    /// The client has closed the stream of a request, or taken the request back.
    package func leave(_ exchange: Exchange) { _ = apply { client, _ in client.leave(exchange) } }

    /// Gives up what nobody has come back for. To be called every now and then.
    package func tick() async {
        for call in parking.expired(of: identity) { await perform { client, _ in client.expired(call) } }
    }

    /// Whether the session may end without anybody noticing.
    package var isIdle: Bool { state.withLock { $0.isIdle } }

    /// Ends the session: the gateway sees its input end.
    package func finish() {
        incoming.continuation.finish()
        parking.forget(identity)
    }

    /// Answers everything that is open.
    package func close(_ reason: RPC.Error) async { await perform { client, _ in client.close(reason) } }

    private func perform(_ change: (inout ModernClient, Int64) -> [ModernClient.Action]) async {
        for (exchange, reply) in apply(change) { await sink(exchange, reply) }
    }

    /// - Returns: what is to be said to the client.
    private func apply(_ change: (inout ModernClient, Int64) -> [ModernClient.Action]) -> [(Exchange, Reply)] {
        let now = parking.now
        return state.withLock { client -> [(Exchange, Reply)] in
            var replies: [(Exchange, Reply)] = []
            for action in change(&client, now) {
                switch action {
                // In the order of the changes, so within them.
                case .send(let message): if case .dropped = incoming.continuation.yield(message.bytes) { lost() }
                case .notify(let exchange, let notification): replies.append((exchange, .notification(notification)))
                case .reply(let exchange, let outcome): replies.append((exchange, .last(outcome)))
                case .log(let text): log(text)
                }
            }
            return replies
        }
    }

    /// The gateway has stopped reading: the session is of no use any more.
    private func lost() {
        log("the gateway does not read what a client asks")
        incoming.continuation.finish()
    }
}
