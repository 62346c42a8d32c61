internal import Core
internal import MCP
internal import Synchronization

/// What the client asks.
extension Session: Peer.Handler {
    var acceptsBatches: Bool { version == .v20250326 }

    func admit(_ request: RPC.Request, from client: Peer) throws(RPC.Error) -> Peer.Admission {
        if let answer = try step(request) { return .answer(answer) }
        if request.method == "logging/setLevel" { return .answer(try setLevel(request)) }
        let isComplete = gateway.isComplete(view)
        if let kind = ListKind(method: request.method) {
            gateway.retry(view, for: self)
            return isComplete ? .answer(try page(kind, request)) : .respond
        }
        if request.method == "tasks/list" { return .respond }
        guard let plan = try plan(request) else {
            guard isComplete else { return .respond }
            gateway.retry(view, for: self)
            throw Plan.unknown(request)
        }
        if let answer = try shortcut(plan) { return .answer(answer) }
        guard let deployment = gateway.deployment(plan.server), deployment.sharing != .call,
            let upstream = upstream(plan.server), let link = upstream.link
        else { return .respond }
        return pass(request, plan, to: upstream, link, from: client)
    }

    /// The way of most calls: no task, no waiting.
    private func pass(
        _ request: RPC.Request, _ plan: Plan, to upstream: Upstream, _ link: Upstream.Link, from client: Peer
    ) -> Peer.Admission {
        let start = ContinuousClock.now
        let again = CancellationFlag()
        let withdraw = upstream.send(passage(request, plan), of: self, on: link) { [self] outcome in
            if case .failure(let error) = outcome, error is NotSent {
                // It has certainly not been carried out: once more, with the server's next life.
                gateway.perform { [self] in
                    let outcome = await again.run { await Result { try await self.exchange(request, plan) } }
                    if let outcome { client.answer(request.id, outcome.mapError(RPC.Error.answering)) }
                }
                return
            }
            client.answer(request.id, finished(outcome, plan).mapError(RPC.Error.answering))
            note(outcome, plan, start)
        }
        return .forwarded { params in
            withdraw(params)
            again.set()
        }
    }

    func respond(to request: RPC.Request, from client: Peer) async throws -> RawJSON {
        if !gateway.isComplete(view) { await gateway.waitForListings(view, for: self) }
        if let kind = ListKind(method: request.method) { return try page(kind, request) }
        if request.method == "tasks/list" { return try await tasks() }
        guard let plan = try plan(request) else { throw Plan.unknown(request) }
        if let answer = try shortcut(plan) { return answer }
        return try await exchange(request, plan)
    }

    /// Has a request carried out, started servers waited for.
    func exchange(_ request: RPC.Request, _ plan: Plan) async throws -> RawJSON {
        let start = ContinuousClock.now
        let passage = passage(request, plan)
        func answered(_ outcome: Result<RawJSON, any Error>) throws -> RawJSON {
            note(outcome, plan, start)
            return try finished(outcome, plan).get()
        }
        for attempt in 1... {
            guard let upstream = upstream(plan.server) else { throw Plan.unknown(request) }
            defer { release(upstream) }
            do {
                return try answered(.success(try await upstream.exchange(passage, of: self)))
            } catch let error as NotSent {
                guard attempt < 3 else { throw error.reason }
                // Whatever has just ended is given a moment to do so.
                try await Task.sleep(for: .milliseconds(50 * attempt))
            } catch {
                return try answered(.failure(error))
            }
        }
        throw CancellationError()
    }

    private func passage(_ request: RPC.Request, _ plan: Plan) -> Passage {
        let client = state.withLock { $0.client }
        let (id, token) = (request.id, plan.params?["_meta"]?["progressToken"])
        guard let client, let token, !token.isNull else {
            return Passage(method: plan.method, params: plan.params, request: id, onProgress: nil)
        }
        return Passage(method: plan.method, params: plan.params, request: id) { params in
            guard client.hasRoom else { return }
            client.notify("notifications/progress", params.replacing("progressToken", with: token), relatedTo: id)
        }
    }

    /// What the client gets for a server's answer.
    private func finished(_ outcome: Result<RawJSON, any Error>, _ plan: Plan) -> Result<RawJSON, any Error> {
        switch outcome {
        case .failure(let error as RPC.Error):
            if error.code == -32042, let elicitations = try? error.data?["elicitations"]?.elements() {
                for elicitation in elicitations.prefix(64) { elicitation["elicitationId"]?.string.map(elicited) }
            }
            return outcome
        case .failure: return outcome
        case .success(let answer):
            var result = plan.rewritten.isEmpty ? answer : URIRewriting.result(answer, of: plan.method, plan.rewritten)
            result = Shape.result(result, of: plan.method, for: revision)
            return .success(noted(result, plan))
        }
    }

    /// Counts a call and tells of it; its client has the answer already, and need not wait for that.
    private func note(_ outcome: Result<RawJSON, any Error>, _ plan: Plan, _ start: ContinuousClock.Instant) {
        state.withLock { $0.calls += 1 }
        guard let tool = plan.tool else { return }
        let isError = if case .success(let answer) = outcome { answer["isError"]?.isTrue ?? false } else { true }
        gateway.tell(.called(server: plan.server, tool: tool, took: ContinuousClock.now - start, isError: isError))
    }

    /// Remembers what a request has changed.
    private func noted(_ result: RawJSON, _ plan: Plan) -> RawJSON {
        switch plan.effect {
        case .none: return result
        case .subscribe(let shown):
            let own = plan.params?["uri"]?.string ?? shown
            state.withLock { state in
                guard state.subscriptions.count < 10_000 else { return }
                state.subscriptions[shown] = .init(server: plan.server, name: own)
            }
            return result
        case .unsubscribe(let shown):
            state.withLock { state in state.subscriptions[shown] = nil }
            return result
        case .task:
            if result["resultType"]?.string == "task", let id = result["taskId"]?.string {
                let name = state.withLock { $0.tasks.add(.init(server: plan.server, id: id)) }
                return name == id ? result : result.replacing("taskId", with: RawJSON(.string(name)))
            }
            guard let task = result["task"], let id = task["taskId"]?.string else { return result }
            let name = state.withLock { $0.tasks.add(.init(server: plan.server, id: id)) }
            return name == id
                ? result : result.replacing("task", with: task.replacing("taskId", with: RawJSON(.string(name))))
        case .taskID(let name):
            guard let id = result["taskId"]?.string, id != name else { return result }
            return result.replacing("taskId", with: RawJSON(.string(name)))
        }
    }
}
