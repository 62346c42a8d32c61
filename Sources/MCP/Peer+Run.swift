internal import Core
internal import NIOCore
internal import Synchronization

extension Peer {
    /// Runs a connection: answers the other side while `body` runs. Ends when `body` returns or the other side closes.
    ///
    /// - Throws: what `body` throws; requests under way fail with `.unavailable` when the other side closes.
    package static func run<R: Sendable>(
        over transport: some Transport, handler: any Handler, body: @escaping @Sendable (Peer) async throws -> R
    ) async throws -> R {
        try await transport.connect { messages, send in
            let peer = Peer(handler: handler)
            return try await withThrowingTaskGroup(of: R?.self) { group in
                group.addTask {
                    await peer.write(send, sideBySide: transport.sendsRequestsSideBySide)
                    return nil
                }
                group.addTask {
                    await peer.receive(messages)
                    return nil
                }
                group.addTask { try await body(peer) }
                defer {
                    peer.close(Failure(.unavailable, "the connection was closed"))
                    group.cancelAll()
                }
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
            let peer = Peer(handler: handler, patience: patience)
            onConnect(peer)
            let end = await withTaskGroup(of: Failure?.self) { group in
                group.addTask { await peer.receive(messages) }
                group.addTask {
                    await peer.write(send, sideBySide: transport.sendsRequestsSideBySide)
                    return nil
                }
                var end: Failure?
                while let next = await group.next() {
                    end = end ?? next
                    group.cancelAll()
                }
                return end
            }
            if let end, end.cause != nil, !Task.isCancelled { throw end }
        }
    }

    /// Writes what is in the outbox until the connection is closed.
    private func write(_ send: @escaping SendMessage, sideBySide: Bool) async {
        await withDiscardingTaskGroup { group in
            while let entry = await outbox.next() {
                if sideBySide, entry.request != nil {
                    group.addTask { await self.write(entry, send) }
                } else {
                    await write(entry, send)
                }
            }
            group.cancelAll()
        }
    }

    private func write(_ entry: Outbox.Entry, _ send: SendMessage) async {
        do { try await send(entry.bytes, entry.relation) } catch {
            // Only what was to be sent fails: whether the connection is broken, its other direction tells.
            guard let id = entry.request else { return }
            let reason: any Error =
                error is Failure || error is CancellationError || error is NotSent || error is RPC.Error
                ? error : Failure(.unavailable, "the connection broke", cause: error)
            state.withLock { $0.take(id) }?.onAnswer(.failure(reason))
        }
    }

    /// Ends everything that is under way.
    private func close(_ reason: Failure) {
        let left = state.withLock { $0.close(reason) }
        let unsent = Set(outbox.close().compactMap(\.request))
        for (id, asked) in left.waiters {
            asked.onAnswer(.failure(unsent.contains(id) ? NotSent(reason: reason) : reason))
        }
        for work in left.work { work.cancel(nil) }
    }

    /// - Returns: how the connection ended; with a cause where it broke.
    @discardableResult
    private func receive<Messages: AsyncSequence>(_ messages: Messages) async -> Failure
    where Messages.Element == ByteBuffer {
        var reason = Failure(.unavailable, "the connection was closed by the other side")
        await withDiscardingTaskGroup { group in
            do {
                for try await bytes in messages {
                    // Who does not read what it is sent is not read either: it could ask for more without end.
                    await outbox.room()
                    await take(bytes, &group)
                }
            } catch {
                reason = Failure(.unavailable, "the connection broke", cause: error)
            }
            await drain()
            group.cancelAll()
            close(reason)
        }
        return state.withLock { $0.closed } ?? reason
    }

    /// Lets what was asked before the other side closed its end be answered, for a moment: `echo … | server` is a use.
    private func drain() async {
        let end = ContinuousClock.now + patience
        while state.withLock({ $0.isBusy && $0.closed == nil }) || !outbox.isEmpty, ContinuousClock.now < end,
            !Task.isCancelled
        { try? await Task.sleep(for: .milliseconds(5)) }
    }

    private func take(_ bytes: ByteBuffer, _ group: inout DiscardingTaskGroup) async {
        let raw: RawJSON
        do { raw = try await Self.checked(bytes) } catch {
            return refuse(nil, .parseError(Failure.text(of: error)))
        }
        guard raw.isArray else { return await take(raw, batch: nil, &group) }
        guard handler.acceptsBatches, let elements = try? raw.elements(), !elements.isEmpty else {
            return refuse(nil, .invalidRequest("batches are not accepted"))
        }
        guard elements.count <= PeerState<Asked, Work>.maximumIncoming else {
            return refuse(nil, .invalidRequest("a batch of \(elements.count) messages is too large"))
        }
        // What is no message counts as a request: it is answered too.
        let count = elements.count { element in
            switch try? RPC.Message(element) {
            case .notification, .response: false
            case .request, nil: true
            }
        }
        let batch = state.withLock { $0.beginBatch(of: count) }
        for element in elements { await take(element, batch: batch, &group) }
    }

    /// A message's bytes as JSON. A large one takes its time, which others on the same thread must not wait for.
    private static func checked(_ bytes: ByteBuffer) async throws -> RawJSON {
        guard bytes.readableBytes > quickMessage else { return try RawJSON(checking: bytes) }
        return try await withTaskExecutorPreference(globalConcurrentExecutor) { try RawJSON(checking: bytes) }
    }

    private static let quickMessage = 256 << 10

    private func take(_ raw: RawJSON, batch: Int?, _ group: inout DiscardingTaskGroup) async {
        do throws(RPC.Error) {
            switch try RPC.Message(raw) {
            case .response(let response):
                guard let id = response.id, let asked = state.withLock({ $0.take(id) }) else { return }
                asked.onAnswer(response.outcome.mapError { $0 as any Error })
            case .notification(let notification): await take(notification)
            case .request(let request):
                if batch != nil, request.method == "initialize" {
                    throw .invalidRequest("initialize does not belong into a batch")
                }
                try state.withLock { state throws(RPC.Error) in
                    try state.begin(request.id, .beginning, batch: batch)
                }
                do throws(RPC.Error) { perform(try handler.admit(request, from: self), request, &group) } catch {
                    answer(request.id, .failure(error))
                }
            }
        } catch {
            refuse(raw["id"].flatMap(RPC.ID.init), error, batch: batch)
        }
    }

    private func perform(_ admission: Admission, _ request: RPC.Request, _ group: inout DiscardingTaskGroup) {
        switch admission {
        case .answer(let reply): answer(request.id, .success(reply))
        case .forwarded(let onCancel):
            _ = state.withLock { $0.hand(request.id, to: .forwarded(onCancel)) }
        case .respond:
            let flag = CancellationFlag()
            guard state.withLock({ $0.hand(request.id, to: .task(flag)) }) else { return }
            group.addTask {
                // A cancelled request gets no answer: the other side has forgotten it.
                let outcome = await flag.run { await self.outcome(of: request) }
                if let outcome { self.answer(request.id, outcome) } else { self.finish(request.id, nil) }
            }
        }
    }

    private func take(_ notification: RPC.Notification) async {
        switch notification.method {
        case "notifications/cancelled":
            guard let id = notification.params?["requestId"].flatMap(RPC.ID.init),
                let work = state.withLock({ $0.work(id) })
            else { return }
            // A task ends by itself; what was forwarded is over for this side.
            if case .forwarded = work { finish(id, nil) }
            work.cancel(notification.params)
        case "notifications/progress":
            guard let params = notification.params, let token = params["progressToken"].flatMap(RPC.ID.init),
                let onProgress = state.withLock({ $0.waiter(token) })?.onProgress
            else { return await handler.receive(notification, from: self) }
            onProgress(params)
        default: await handler.receive(notification, from: self)
        }
    }

    private func outcome(of request: RPC.Request) async -> Result<RawJSON, RPC.Error> {
        do { return .success(try await handler.respond(to: request, from: self)) } catch {
            return .failure(.answering(error))
        }
    }

    /// Answers what could not be taken: without an id where it could not be read.
    private func refuse(_ id: RPC.ID?, _ error: RPC.Error, batch: Int? = nil) {
        let answer = RPC.Message.response(RPC.Response(id: id, outcome: .failure(error))).bytes
        var bytes: ByteBuffer? = answer
        if let batch { bytes = state.withLock { $0.close(batch, answer) } }
        guard let bytes else { return }
        outbox.put(.init(bytes: bytes, relation: .answer(to: id)))
    }
}
