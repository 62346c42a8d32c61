internal import Core
package import MCP
package import NIOCore
internal import Synchronization

/// A client's pipe, whichever protocol the client speaks: its first message decides, for as long as the pipe lasts.
///
/// A client of the handshake era is served as it is; a modern one as a session of the handshake era.
package struct ClientEraTransport<Base: Transport>: Transport where Base.Messages.AsyncIterator: Sendable {
    private let base: Base
    private let log: @Sendable (String) -> Void
    private let onEra: @Sendable (Era) -> Void

    /// - Parameter onEra: told which protocol it is, once.
    package init(
        _ base: Base, log: @escaping @Sendable (String) -> Void, onEra: @escaping @Sendable (Era) -> Void = { _ in }
    ) {
        self.base = base
        self.log = log
        self.onEra = onEra
    }

    package func connect<R: Sendable>(
        _ body: (EraMessages<Base.Messages.AsyncIterator>, @escaping SendMessage) async throws -> R
    ) async throws -> R {
        try await base.connect { messages, send in
            var iterator = messages.makeAsyncIterator()
            // What says nothing of its era, such as a stray notification, is passed over.
            while let first = try await iterator.next() {
                guard let message = try? RPC.Message(parsing: first) else {
                    onEra(.handshake)
                    return try await body(EraMessages(.plain(first, iterator)), send)
                }
                switch Era.ofFirst(message) {
                case .handshake:
                    onEra(.handshake)
                    return try await body(EraMessages(.plain(first, iterator)), send)
                case .modern:
                    onEra(.modern)
                    return try await serve(first, iterator, send, body)
                case nil: continue
                }
            }
            return try await body(EraMessages(.none), send)
        }
    }

    private func serve<R: Sendable>(
        _ first: ByteBuffer, _ rest: Base.Messages.AsyncIterator, _ send: @escaping SendMessage,
        _ body: (EraMessages<Base.Messages.AsyncIterator>, @escaping SendMessage) async throws -> R
    ) async throws -> R {
        let pipe = ModernPipe(send: send, log: log)
        return try await pipe.session.connect { messages, sendToPipe in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    await pipe.take(first)
                    var rest = rest
                    while let line = try? await rest.next() { await pipe.take(line) }
                    pipe.session.finish()
                }
                group.addTask {
                    while (try? await Task.sleep(for: .seconds(15))) != nil { await pipe.session.tick() }
                }
                defer { group.cancelAll() }
                return try await body(EraMessages(.stream(messages)), sendToPipe)
            }
        }
    }
}

/// Messages of a client, from the first on.
package struct EraMessages<Rest: AsyncIteratorProtocol & Sendable>: AsyncSequence, Sendable
where Rest.Element == ByteBuffer {
    enum Source: Sendable {
        case plain(ByteBuffer, Rest)
        case stream(AsyncStream<ByteBuffer>)
        case none
    }

    private let source: Source

    init(_ source: Source) { self.source = source }

    package func makeAsyncIterator() -> Iterator {
        switch source {
        case .plain(let first, let rest): Iterator(first: first, rest: rest)
        case .stream(let stream): Iterator(stream: stream.makeAsyncIterator())
        case .none: Iterator()
        }
    }

    package struct Iterator: AsyncIteratorProtocol {
        fileprivate var first: ByteBuffer?
        fileprivate var rest: Rest?
        fileprivate var stream: AsyncStream<ByteBuffer>.Iterator?

        package mutating func next() async throws -> ByteBuffer? {
            if let message = first.take() { return message }
            if let message = try await rest?.next() { return message }
            return await stream?.next()
        }
    }
}

/// A modern client at a pipe: each line is a request of its own, each answer a line.
private final class ModernPipe: Sendable {
    let session: ModernClientSession
    private let send: SendMessage
    private let open: Open

    private final class Open: Sendable {
        /// The ids that are in use, and which exchange each is.
        let ids = Mutex<(byExchange: [ModernClient.Exchange: RPC.ID], byID: [RPC.ID: ModernClient.Exchange])>(
            ([:], [:]))

        func begin(_ id: RPC.ID, _ exchange: ModernClient.Exchange) -> Bool {
            ids.withLock { ids in
                guard ids.byID[id] == nil else { return false }
                (ids.byID[id], ids.byExchange[exchange]) = (exchange, id)
                return true
            }
        }

        func end(_ exchange: ModernClient.Exchange) -> RPC.ID? {
            ids.withLock { ids in
                guard let id = ids.byExchange.removeValue(forKey: exchange) else { return nil }
                ids.byID[id] = nil
                return id
            }
        }

        func end(_ id: RPC.ID) -> ModernClient.Exchange? {
            ids.withLock { ids in
                guard let exchange = ids.byID.removeValue(forKey: id) else { return nil }
                ids.byExchange[exchange] = nil
                return exchange
            }
        }
    }

    init(send: @escaping SendMessage, log: @escaping @Sendable (String) -> Void) {
        let open = Open()
        self.send = send
        self.open = open
        // Nobody else uses this process: the pipe is the principal.
        session = ModernClientSession(principal: "stdio", parking: Parking(), log: log) { exchange, reply in
            switch reply {
            case .notification(let notification):
                try? await send(RPC.Message.notification(notification).bytes, .none)
            case .last(let outcome):
                guard let id = open.end(exchange) else { return }
                try? await send(RPC.Message.response(RPC.Response(id: id, outcome: outcome)).bytes, .answer(to: id))
            }
        }
    }

    func take(_ line: ByteBuffer) async {
        do throws(RPC.Error) {
            switch try RPC.Message(parsing: line) {
            case .request(let request): await take(request)
            case .notification(let note) where note.method == "notifications/cancelled":
                guard let id = note.params?["requestId"].flatMap(RPC.ID.init), let exchange = open.end(id) else {
                    return
                }
                session.leave(exchange)
            // There are no others in this protocol, and no responses.
            case .notification, .response: return
            }
        } catch {
            let id = (try? RawJSON(checking: line))?["id"].flatMap(RPC.ID.init)
            await refuse(id, error)
        }
    }

    private func take(_ request: RPC.Request) async {
        let exchange = session.makeExchange()
        do throws(RPC.Error) {
            guard request.method != "initialize" else {
                throw .unsupportedVersion(request.params?["protocolVersion"]?.string ?? "")
            }
            let envelope = try Envelope(of: request.params)
            guard open.begin(request.id, exchange) else {
                throw .invalidRequest("the id \(request.id) is in use already")
            }
            await session.receive(request, envelope, on: exchange)
        } catch { await refuse(request.id, error) }
    }

    private func refuse(_ id: RPC.ID?, _ error: RPC.Error) async {
        try? await send(RPC.Message.response(RPC.Response(id: id, outcome: .failure(error))).bytes, .answer(to: id))
    }
}
