internal import Core
internal import MCP

extension ModernClient {
    mutating func call(_ pending: Pending, now: Int64) -> [Action] {
        let params = pending.request.params ?? RawJSON([:])
        guard params.members(named: ["requestState", "inputResponses"]).contains(where: { $0 != nil }) else {
            return forward(pending, params)
        }
        do throws(RPC.Error) { return try comeBack(pending, params, now: now) } catch {
            var actions: [Action] = [.reply(pending.exchange, .failure(error))]
            // A forger gets no more than the plain answer.
            actions.append(.log("a \(pending.request.method) came back with a requestState that was refused"))
            return actions
        }
    }

    private mutating func forward(_ pending: Pending, _ params: RawJSON, round: Int = 0) -> [Action] {
        let id = makeID()
        let request = RPC.Request(id: id, method: pending.request.method, params: params)
        var call = Call(request: pending.request, envelope: pending.envelope, exchange: pending.exchange)
        call.round = round
        calls[id] = call
        exchanges[pending.exchange] = id
        return raiseLevel(pending.envelope.level) + [.send(.request(request))]
    }

    /// Servers of the handshake era have one level for all: the most that anybody wants, sorted out on the way back.
    private mutating func raiseLevel(_ wanted: LogLevel?) -> [Action] {
        guard let wanted, capabilities["logging"] != nil, level.map({ wanted < $0 }) ?? true else { return [] }
        level = wanted
        let params = RawJSON(["level": .string(wanted.rawValue)])
        return [.send(.request(RPC.Request(id: makeID(), method: "logging/setLevel", params: params)))]
    }

    /// The gateway has answered a call.
    mutating func finished(_ id: RPC.ID, _ outcome: Result<RawJSON, RPC.Error>, now: Int64) -> [Action] {
        guard var call = calls[id] else { return [] }
        guard let exchange = call.exchange else {
            // Told to whoever comes back.
            call.outcome = outcome
            calls[id] = call
            return []
        }
        (calls[id], exchanges[exchange]) = (nil, nil)
        if let step = nextStep(of: call, outcome) { return follow(step, call) }
        return finish(call, on: exchange, outcome, now: now)
    }

    /// A server of the handshake era may want a call to be a task of its protocol: the gateway makes it one, and waits
    /// for its end instead of the client.
    private func nextStep(of call: Call, _ outcome: Result<RawJSON, RPC.Error>) -> RPC.Request? {
        let canBeTask = capabilities["tasks"]?["requests"]?["tools"]?["call"] != nil
        guard call.request.method == "tools/call", canBeTask else { return nil }
        switch (outcome, call.isTask) {
        case (.failure(let error), false) where error.code == -32601:
            let params = (call.request.params ?? RawJSON([:])).removing(["inputResponses", "requestState"])
            return RPC.Request(
                id: call.request.id, method: "tools/call", params: params.replacing("task", with: RawJSON([:])))
        case (.success(let result), true):
            guard let task = result["task"]?["taskId"] else { return nil }
            return RPC.Request(
                id: call.request.id, method: "tasks/result", params: RawJSON(object: [("taskId", task)]))
        default: return nil
        }
    }

    private mutating func follow(_ step: RPC.Request, _ call: Call) -> [Action] {
        let id = makeID()
        var call = call
        call.isTask = true
        if step.method == "tasks/result" { call.task = step.params }
        calls[id] = call
        if let exchange = call.exchange { exchanges[exchange] = id }
        return [.send(.request(RPC.Request(id: id, method: step.method, params: step.params)))]
    }

    private mutating func finish(
        _ call: Call, on exchange: Exchange, _ outcome: Result<RawJSON, RPC.Error>, now: Int64
    ) -> [Action] {
        do throws(RPC.Error) {
            switch outcome {
            case .failure(let error): return try fail(call, on: exchange, error, now: now)
            case .success(let result):
                let members = result.members()
                let type = members.last { $0.name == "resultType" }?.value
                guard try ModernResult.kind(type: type) == .inputRequired else {
                    let whole = ModernResult.complete(members: members, of: call.request.method, server: server)
                    return [.reply(exchange, .success(whole))]
                }
                let wanted = try InputRequired(result)
                return try turnBack(call, on: exchange, .passing(wanted.state), wanted.asks, now: now)
            }
        } catch { return [.reply(exchange, .failure(error))] }
    }

    /// A server of the handshake era that wants a URL to be visited first says so with an error.
    private mutating func fail(
        _ call: Call, on exchange: Exchange, _ error: RPC.Error, now: Int64
    ) throws(RPC.Error) -> [Action] {
        guard error.code == RPC.Error.urlElicitationCode,
            let wanted = try? error.data?["elicitations"]?.elements(), !wanted.isEmpty,
            InputRequired.methods.contains(call.request.method)
        else { throw error.modernized }
        let asks = wanted.prefix(InputRequired.maximumAsks).enumerated().map { place, params in
            InputRequired.Ask(
                key: "url\(place + 1)", method: "elicitation/create",
                params: params.replacing("mode", with: RawJSON("url")).removing(["elicitationId"]))
        }
        if let missing = ClientCapability.missing("elicitation/create", asks[0].params, call.envelope.capabilities) {
            throw .missingCapability(missing, error.message)
        }
        return try turnBack(call, on: exchange, .again, asks, now: now)
    }

    // MARK: Questions

    /// The gateway, or a server behind it, wants to know something.
    mutating func asked(_ request: RPC.Request, _ related: RPC.ID?, now: Int64) -> [Action] {
        func refuse(_ error: RPC.Error) -> [Action] {
            [.send(.response(RPC.Response(id: request.id, outcome: .failure(error))))]
        }
        if request.method == "ping" {
            return [.send(.response(RPC.Response(id: request.id, outcome: .success(RawJSON([:])))))]
        }
        // Without a call there is no way to the client, and it must not be guessed whose question it is.
        guard let id = related ?? onlyCall, var call = calls[id], InputRequired.methods.contains(call.request.method)
        else { return refuse(.methodNotFound(request.method)) }
        if let missing = ClientCapability.missing(request.method, request.params, call.envelope.capabilities) {
            guard request.method == "elicitation/create" else { return refuse(.methodNotFound(request.method)) }
            let log = Action.log("the client lacks \(missing.text): a question of a server was declined")
            let declined = RawJSON(["action": "decline"])
            return [.send(.response(RPC.Response(id: request.id, outcome: .success(declined)))), log]
        }
        guard call.asks.count < InputRequired.maximumAsks else {
            return refuse(.internalError("more than \(InputRequired.maximumAsks) questions in one call"))
        }
        // Addresses are told to people, not kept: the modern protocol has no names for visits.
        let params = request.params?.removing(["elicitationId"])
        call.asks.append(
            (
                "q\(call.round)_\(call.asks.count + 1)", request.id,
                .init(key: "", method: request.method, params: params)
            ))
        calls[id] = call
        guard let exchange = call.exchange else { return [] }
        return park(id, on: exchange, now: now)
    }

    private var onlyCall: RPC.ID? {
        let candidates = calls.filter { InputRequired.methods.contains($0.value.request.method) }
        return candidates.count == 1 ? candidates.first?.key : nil
    }

    /// Sends the client off to find out; the gateway's call goes on meanwhile.
    private mutating func park(_ id: RPC.ID, on exchange: Exchange, now: Int64) -> [Action] {
        guard var call = calls[id] else { return [] }
        let asks = call.asks.map { InputRequired.Ask(key: $0.key, method: $0.ask.method, params: $0.ask.params) }
        do throws(RPC.Error) {
            let actions = try turnBack(call, on: exchange, .call(id), asks, now: now)
            call.exchange = nil
            call.round += 1
            calls[id] = call
            exchanges[exchange] = nil
            return actions
        } catch {
            return abandon(id) + [.reply(exchange, .failure(error))]
        }
    }

    /// What a client's state stands for.
    enum Token: Sendable, Hashable {
        /// A call of the gateway's that is still going on.
        case call(RPC.ID)
        /// A server's own state, which goes back to it.
        case passing(RawJSON?)
        /// Nothing: the request is simply made again.
        case again
    }

    private func turnBack(
        _ call: Call, on exchange: Exchange, _ token: Token, _ asks: [InputRequired.Ask], now: Int64
    ) throws(RPC.Error) -> [Action] {
        var generator = SystemRandomNumberGenerator()
        let ticket = generator.next()
        let waiting: RPC.ID? = if case .call(let id) = token { id } else { nil }
        let entry = Parked(client: identity, call: waiting)
        let sealed: String
        do {
            var expiry: Int64 = 0
            try park { table in
                try table.park(entry, ticket: ticket, principal: principal, round: call.round + 1, now: now)
                expiry = table.expiry(now: now)
            }
            sealed = try seal.seal(
                token.bytes(ticket: ticket, round: call.round + 1), for: binding(call.request), expiry: expiry)
        } catch let error as RPC.Error { throw error } catch {
            throw .internalError("the state of the call could not be sealed")
        }
        let result = InputRequired(asks: asks, state: RawJSON(.string(sealed))).json
        return [.reply(exchange, .success(ModernResult.complete(result, of: "", server: server)))]
    }

    private func binding(_ request: RPC.Request) -> StateSeal.Binding {
        StateSeal.Binding(principal: principal, digest: RequestDigest.of(request))
    }

    private static let refused = RPC.Error.invalidParams(
        "requestState is not valid for this request: it was used before, has expired, or was not given for it")

    private mutating func comeBack(_ pending: Pending, _ params: RawJSON, now: Int64) throws(RPC.Error) -> [Action] {
        guard InputRequired.methods.contains(pending.request.method) else {
            throw .invalidParams("\(pending.request.method) cannot carry inputResponses or requestState")
        }
        let responses = params["inputResponses"].flatMap { $0.isNull ? nil : $0 }
        guard responses?.isObject ?? true else { throw .invalidParams("inputResponses is not an object") }
        guard let state = params["requestState"]?.string,
            let content = try? seal.open(state, for: binding(pending.request), now: now),
            let (token, ticket, round) = Token.read(content)
        else { throw Self.refused }
        var entry: Parked?
        try? park { entry = $0.claim(ticket, principal: principal, now: now) }
        guard let entry, entry.client == identity else { throw Self.refused }
        switch token {
        case .again: return forward(pending, params.removing(["inputResponses", "requestState"]), round: round)
        case .passing(let original):
            let own = params.removing(["requestState"])
            return forward(pending, original.map { own.replacing("requestState", with: $0) } ?? own, round: round)
        case .call(let id): return try resume(id, pending, responses, now: now)
        }
    }

    /// Hands the gateway the answers it waits for.
    private mutating func resume(
        _ id: RPC.ID, _ pending: Pending, _ responses: RawJSON?, now: Int64
    ) throws(RPC.Error) -> [Action] {
        guard var call = calls[id], call.exchange == nil else { throw Self.refused }
        (call.exchange, call.envelope) = (pending.exchange, pending.envelope)
        if let outcome = call.outcome {
            calls[id] = nil
            return finish(call, on: pending.exchange, outcome, now: now)
        }
        var actions = raiseLevel(pending.envelope.level)
        var open: [(key: String, id: RPC.ID, ask: InputRequired.Ask)] = []
        for ask in call.asks {
            guard let response = responses?[ask.key], response.isObject else {
                open.append(ask)
                continue
            }
            actions.append(.send(.response(RPC.Response(id: ask.id, outcome: .success(response)))))
        }
        call.asks = open
        calls[id] = call
        exchanges[pending.exchange] = id
        // What came in while the client was away, or was left unanswered, is asked now.
        return actions + (open.isEmpty ? [] : park(id, on: pending.exchange, now: now))
    }
}
