internal import Core
internal import MCP
internal import Synchronization

/// A request on its way through the gateway, under the names of the server it goes to.
struct Passage: Sendable {
    let method: String
    let params: RawJSON?
    /// The client's request; nil for one of the gateway's own.
    let request: RPC.ID?
    /// Gets the parameters of the call's progress notifications.
    let onProgress: (@Sendable (RawJSON) -> Void)?
}

extension Upstream {
    /// Sends a request of a client to the server.
    ///
    /// - Parameter onAnswer: called once; `NotSent` where the request can be tried again, `Failure` in words for a client,
    ///   or `RPC.Error` as the server answered.
    /// - Returns: what takes the request back.
    func send(
        _ passage: Passage, of session: Session, on link: Link,
        onAnswer: @escaping @Sendable (Result<RawJSON, any Error>) -> Void
    ) -> @Sendable (RawJSON?) -> Void {
        let settings = deployment.launch.settings
        let number = state.withLock { state -> Int? in
            // It may have been stopped since.
            guard state.link?.peer === link.peer else { return nil }
            state.report.calls += 1
            return state.calls.begin(
                session, passage.request, patience: settings.callTimeout, limit: settings.callLimit, now: .now)
        }
        guard let number else {
            onAnswer(.failure(NotSent(reason: Failure(.unavailable, "the MCP server \(server) has just been stopped"))))
            return { _ in }
        }
        guard link.peer.hasRoom else {
            finish(number, .failure(Failure(.resourceExhausted, "it does not read what it is sent")), onAnswer)
            return { _ in }
        }
        let onProgress = passage.onProgress.map { onProgress in
            { @Sendable [self] (params: RawJSON) in
                state.withLock { $0.calls.progressed(number, now: .now) }
                onProgress(params)
            }
        }
        let id = link.peer.ask(passage.method, passage.params, onProgress: onProgress) { [self] outcome in
            finish(number, outcome, onAnswer)
        }
        guard let id else { return { _ in } }
        state.withLock { $0.calls.sent(number, as: id) }
        let peer = link.peer
        return { peer.withdraw(id, $0) }
    }

    private func finish(
        _ number: Int, _ outcome: Result<RawJSON, any Error>,
        _ onAnswer: @Sendable (Result<RawJSON, any Error>) -> Void
    ) {
        let (isLate, isDone) = state.withLock { state in
            state.life.used(now: .now)
            let isLate = state.calls.end(number)
            return (isLate, state.isRetiring && state.calls.isEmpty)
        }
        if isDone { stop() }
        switch outcome {
        case .success: onAnswer(outcome)
        case .failure(let error as RPC.Error):
            state.withLock { $0.report.failed += 1 }
            onAnswer(.failure(error))
        case .failure(let error):
            let told: any Error
            if isLate {
                told = Failure(.timedOut, "the MCP server \(server) took too long: no answer and no progress")
            } else if error is NotSent || error is CancellationError {
                told = error
            } else {
                told = explained(error)
            }
            if let failure = told as? Failure {
                state.withLock { state in
                    state.report.failed += 1
                    state.report.lastError = failure.description
                }
            }
            onAnswer(.failure(told))
        }
    }

    /// Sends a request and waits for its answer. Cancelling the task tells the server.
    func exchange(_ passage: Passage, of session: Session) async throws -> RawJSON {
        let link = try await waitForLink()
        try Task.checkCancellation()
        let answer = Promise<RawJSON>()
        let withdraw = send(passage, of: session, on: link) { answer.fulfil($0) }
        do { return try await answer.value } catch let error as CancellationError {
            withdraw(nil)
            throw error
        }
    }
}

extension Upstream: Peer.Handler {
    var acceptsBatches: Bool { link?.client.server.version == .v20250326 }

    /// Whom something concerns that the server says without saying whom: the client it works for, and the latest call.
    /// Nobody, where several clients share it and more than one has a call under way: guessing would tell one's secrets
    /// to another.
    ///
    /// - Parameter params: name the call where the server's protocol or transport tells.
    private func audience(of params: RawJSON?) -> (session: Session, request: RPC.ID?)? {
        state.withLock { state in
            if state.report.era == .modern, let call = CallTag.read(params).flatMap({ state.calls.call($0) }) {
                return (call.owner, call.request)
            }
            guard let session = owner ?? state.calls.soleOwner else { return nil }
            return (session, state.calls.latest(of: session)?.request)
        }
    }

    private func changed(_ kind: ListKind) { _ = state.withLock { $0.changes }?.yield(kind) }

    func admit(_ request: RPC.Request, from peer: Peer) throws(RPC.Error) -> Peer.Admission {
        if request.method == "ping" { return .answer(RawJSON([:])) }
        guard let audience = audience(of: request.params) else {
            return try Session.refusal(of: request.method, "no client's call is under way")
        }
        let plain = RPC.Request(
            id: request.id, method: request.method, params: CallTag.write(nil, into: request.params))
        return try audience.session.ask(plain, from: peer, relatedTo: audience.request)
    }

    func receive(_ notification: RPC.Notification, from peer: Peer) async {
        switch notification.method {
        case "notifications/tools/list_changed": changed(.tools)
        case "notifications/prompts/list_changed": changed(.prompts)
        case "notifications/resources/list_changed":
            changed(.resources)
            changed(.templates)
        case "notifications/resources/updated": gateway.updated(notification, by: self)
        // Progress of a call that is over, or of none.
        case "notifications/progress": break
        case "notifications/elicitation/complete":
            for session in gateway.sessions(of: self) { session.completed(notification) }
        case "notifications/tasks/status", "notifications/tasks":
            for session in gateway.sessions(of: self) { session.taskChanged(notification, at: server) }
        default:
            guard let audience = audience(of: notification.params) else { return }
            let plain = RPC.Notification(
                method: notification.method, params: CallTag.write(nil, into: notification.params))
            audience.session.tell(plain, relatedTo: audience.request)
            // A server that only one client uses waits for that client.
            if owner != nil { await audience.session.room() }
        }
    }
}
