package import Core
internal import NIOCore
internal import Synchronization

/// One end of an MCP connection. Both ends ask and answer, so client and server are the same type with other handlers.
package final class Peer: Sendable {
    /// What answers the other side.
    package protocol Handler: Sendable {
        /// Called for each request in the order of arrival, before anything that came later is looked at.
        ///
        /// - Returns: the answer, where it needs no waiting; nil to have `respond` called in a task of its own.
        func admit(_ request: RPC.Request) throws(RPC.Error) -> RawJSON?
        /// - Throws: `RPC.Error` or any error, which becomes one.
        func respond(to request: RPC.Request, from peer: Peer) async throws -> RawJSON
        /// Called in the order of arrival, before anything that came later is looked at; must not wait for an answer.
        func receive(_ notification: RPC.Notification, from peer: Peer) async
    }

    private typealias Waiter = Promise<RawJSON>
    private let state = Mutex(PeerState<Waiter, CancellationFlag>())
    private let send: SendMessage
    private let handler: any Handler

    /// How long requests may go on after the other side has closed its end.
    package static let patience = Duration.seconds(2)
    private let patience: Duration

    private init(
        handler: any Handler, patience: Duration = Peer.patience,
        send: @escaping SendMessage
    ) {
        self.handler = handler
        self.patience = patience
        self.send = send
    }

    /// Runs a connection: answers the other side while `body` runs. Ends when `body` returns or the other side closes.
    ///
    /// - Parameter body: nil serves until the other side closes.
    /// - Throws: what `body` throws; requests under way fail with `.unavailable` when the other side closes.
    package static func run<R: Sendable>(
        over transport: some Transport, handler: any Handler, body: @escaping @Sendable (Peer) async throws -> R
    ) async throws -> R {
        try await transport.connect { messages, send in
            let peer = Peer(handler: handler, send: send)
            return try await withThrowingTaskGroup(of: R?.self) { group in
                group.addTask {
                    await peer.receive(messages)
                    return nil
                }
                group.addTask { try await body(peer) }
                defer { group.cancelAll() }
                do {
                    while let finished = try await group.next() {
                        if let result = finished { return result }
                        group.cancelAll()
                    }
                } catch let error as CancellationError {
                    throw peer.state.withLock { $0.closed } ?? error as any Error
                }
                throw CancellationError()
            }
        }
    }

    /// Serves the other side until it closes.
    ///
    /// - Parameters:
    ///   - patience: how long requests may go on after the other side has closed its end.
    ///   - onConnect: gets the peer before the first message is read.
    /// - Throws: `.unavailable` when the connection breaks, as by a message that is too long.
    package static func serve(
        over transport: some Transport, handler: any Handler, patience: Duration = Peer.patience,
        onConnect: (Peer) -> Void = { _ in }
    ) async throws {
        try await transport.connect { messages, send in
            let peer = Peer(handler: handler, patience: patience, send: send)
            onConnect(peer)
            let end = await peer.receive(messages)
            if end.cause != nil, !Task.isCancelled { throw end }
        }
    }

    /// Sends a request and waits for its answer. Cancelling the task tells the other side.
    ///
    /// - Parameter relatedTo: the other side's request on whose behalf this one is made.
    /// - Throws: `RPC.Error` as answered; `Failure(.unavailable)` when the connection closes.
    package func request(
        _ method: String, _ params: RawJSON? = nil, relatedTo: RPC.ID? = nil
    ) async throws -> RawJSON {
        let id = try state.withLock { state throws(Failure) in try state.makeID() }
        do {
            return try await withTaskCancellationHandler {
                try await exchange(RPC.Request(id: id, method: method, params: params), Relation(to: relatedTo))
            } onCancel: {
                state.withLock { $0.take(id) }?.fulfil(.failure(CancellationError()))
            }
        } catch let error as CancellationError {
            await sendCancelled(id, method: method)
            throw error
        }
    }

    /// - Parameter relatedTo: the other side's request that this is about.
    package func notify(_ method: String, _ params: RawJSON? = nil, relatedTo: RPC.ID? = nil) async throws {
        let notification = RPC.Notification(method: method, params: params)
        try await send(RPC.Message.notification(notification).bytes, Relation(to: relatedTo))
    }

    private func exchange(_ request: RPC.Request, _ relation: Relation) async throws -> RawJSON {
        try Task.checkCancellation()
        // The answer may come before `send` returns, and before anything after it has run: who waits for it is noted first.
        let answer = Waiter()
        if let closed = state.withLock({ $0.wait(request.id, answer) }) { throw closed }
        // A cancellation that came before that has found nobody to tell.
        if Task.isCancelled { state.withLock { $0.take(request.id) }?.fulfil(.failure(CancellationError())) }
        async let sent: Void = sendOrFail(request, relation)
        let result = try await answer.value
        await sent
        return result
    }

    private func sendOrFail(_ request: RPC.Request, _ relation: Relation) async {
        do { try await send(RPC.Message.request(request).bytes, relation) } catch {
            state.withLock { $0.take(request.id) }?.fulfil(.failure(error))
        }
    }

    private func sendCancelled(_ id: RPC.ID, method: String) async {
        guard method != "initialize" else { return }
        let params = RawJSON(["requestId": .number(id.text)])
        // Our own task is cancelled already, and what it sends might not leave: a task of its own, waited for.
        await Task { [self] in try? await notify("notifications/cancelled", params) }.value
    }

    /// - Returns: how the connection ended; with a cause where it broke.
    @discardableResult
    private func receive<Messages: AsyncSequence>(_ messages: Messages) async -> Failure
    where Messages.Element == ByteBuffer {
        var reason = Failure(.unavailable, "the connection was closed by the other side")
        await withDiscardingTaskGroup { group in
            do {
                for try await bytes in messages { await take(bytes, &group) }
            } catch {
                reason = Failure(.unavailable, "the connection broke", cause: error)
            }
            await drain()
            group.cancelAll()
            for waiter in state.withLock({ $0.close(reason) }) { waiter.fulfil(.failure(reason)) }
        }
        return reason
    }

    /// Lets what was asked before the other side closed its end be answered, for a moment: `echo … | server` is a use.
    private func drain() async {
        let end = ContinuousClock.now + patience
        while state.withLock({ $0.isBusy }), ContinuousClock.now < end, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    private func take(_ bytes: ByteBuffer, _ group: inout DiscardingTaskGroup) async {
        do throws(RPC.Error) {
            switch try RPC.Message(parsing: bytes) {
            case .response(let response):
                guard let id = response.id, let waiter = state.withLock({ $0.take(id) }) else { return }
                waiter.fulfil(response.outcome.mapError { $0 as any Error })
            case .notification(let notification) where notification.method == "notifications/cancelled":
                if let id = notification.params?["requestId"].flatMap(RPC.ID.init) {
                    state.withLock { $0.work(id) }?.set()
                }
            case .notification(let notification): await handler.receive(notification, from: self)
            case .request(let request):
                let flag = CancellationFlag()
                try state.withLock { state throws(RPC.Error) in try state.begin(request.id, flag) }
                do throws(RPC.Error) {
                    // An answer that is there keeps the id only: a request may be large, and the other side may not read.
                    if let reply = try handler.admit(request) {
                        let id = request.id
                        group.addTask { await self.answer(id, flag) { .success(reply) } }
                    } else {
                        group.addTask { await self.answer(request.id, flag) { await self.outcome(of: request) } }
                    }
                } catch {
                    state.withLock { $0.end(request.id) }
                    throw error
                }
            }
        } catch {
            // What cannot be read is answered without an id; a request refused here was read, so it has one.
            let id = (try? RawJSON(checking: bytes))?["id"].flatMap(RPC.ID.init)
            try? await send(RPC.Message.response(RPC.Response(id: id, outcome: .failure(error))).bytes, .answer(to: id))
        }
    }

    private func outcome(of request: RPC.Request) async -> Result<RawJSON, RPC.Error> {
        do { return .success(try await handler.respond(to: request, from: self)) } catch {
            return .failure(.answering(error))
        }
    }

    private func answer(
        _ id: RPC.ID, _ flag: CancellationFlag, _ outcome: @escaping @Sendable () async -> Result<RawJSON, RPC.Error>
    ) async {
        // Under way until its answer is out: what waits to be written counts, and is waited for at the end.
        defer { state.withLock { $0.end(id) } }
        // A cancelled request gets no answer: the other side has forgotten it.
        guard let outcome = await flag.run(outcome) else { return }
        try? await send(RPC.Message.response(RPC.Response(id: id, outcome: outcome)).bytes, .answer(to: id))
    }
}
