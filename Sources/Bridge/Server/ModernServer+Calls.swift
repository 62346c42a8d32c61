internal import Core
internal import MCP

extension ModernServer {
    /// One request of the gateway's, however often the server has to be asked for it.
    struct Call: Sendable {
        let request: RPC.Request
        /// Comes from a modern client, which understands whatever the server answers.
        let passes: Bool
        /// How often the server has wanted input.
        var round = 0
        var declaresTasks = false
        var state: RawJSON?
        var responses: [(name: String, value: RawJSON)] = []
        /// Keys that are not answered yet.
        var open: Set<String> = []
        /// The task that the server has made of it.
        var task: String?
    }

    private static let maximumRounds = 16

    mutating func call(_ request: RPC.Request) -> [Action] {
        let call = Call(request: request, passes: Envelope.isMarked(request.params))
        if !call.passes {
            // What the handshake era calls tasks is another protocol, which was not offered.
            guard request.params?["task"] == nil, !request.method.hasPrefix("tasks/") else {
                return [Self.reply(request.id, .methodNotFound(request.method))]
            }
        }
        return send(call)
    }

    /// Sends a call to the server, under a new id.
    private mutating func send(_ call: Call) -> [Action] {
        let id = makeID()
        calls[id] = call
        current[call.request.id] = id
        return [.send(.request(RPC.Request(id: id, method: call.request.method, params: params(of: call))))]
    }

    private func params(of call: Call) -> RawJSON {
        var params = call.request.params ?? RawJSON([:])
        if !call.passes || call.declaresTasks {
            params = envelope(declaringTasks: call.declaresTasks).written(into: params)
        }
        if !call.responses.isEmpty {
            params = params.replacing("inputResponses", with: RawJSON(object: call.responses))
        }
        if let state = call.state { params = params.replacing("requestState", with: state) }
        return params
    }

    func envelope(declaringTasks: Bool) -> Envelope {
        var capabilities = client.capabilities
        if declaringTasks {
            let extensions = capabilities["extensions"] ?? RawJSON([:])
            capabilities = capabilities.replacing(
                "extensions", with: extensions.replacing(Subject.tasks, with: RawJSON([:])))
        }
        return Envelope(revision: revision, capabilities: capabilities, client: client.info, level: level)
    }

    /// The server has answered a request of ours.
    mutating func finished(_ response: RPC.Response) -> [Action] {
        guard let id = response.id else { return [] }
        if id == listening.id { return listeningEnded(response.outcome) }
        guard let call = calls.removeValue(forKey: id) else { return [] }
        current[call.request.id] = nil
        switch response.outcome {
        case .failure(let error): return failed(call, error)
        case .success(let result):
            do throws(RPC.Error) {
                return try succeeded(call, result)
            } catch { return [Self.reply(call.request.id, error)] }
        }
    }

    private mutating func failed(_ call: Call, _ error: RPC.Error) -> [Action] {
        if call.passes { return [Self.reply(call.request.id, error)] }
        if error.code == RPC.Error.missingCapabilityCode, !call.declaresTasks,
            error.data?["requiredCapabilities"]?["extensions"]?[Subject.tasks] != nil
        {
            // The server cannot do without a task: the gateway waits for it instead of the client.
            var call = call
            call.declaresTasks = true
            return send(call)
        }
        return [Self.reply(call.request.id, error.forHandshake(answering: call.request.method))]
    }

    private mutating func succeeded(_ call: Call, _ result: RawJSON) throws(RPC.Error) -> [Action] {
        if call.task != nil { return try polled(call, result) }
        let kind = try ModernResult.kind(of: result)
        let (id, method) = (call.request.id, call.request.method)
        switch kind {
        case .complete:
            return [Self.reply(id, call.passes ? result : Self.plain(result, of: method))]
        case _ where call.passes: return [Self.reply(id, result)]
        case .inputRequired: return try ask(call, InputRequired(result))
        case .other("task") where call.declaresTasks:
            guard let task = result["taskId"]?.string else { throw .internalError("the server's task has no taskId") }
            var call = call
            call.task = task
            return wait(for: call, result)
        case .other(let name):
            throw .internalError("the server answered with the unknown resultType \(name.prefix(32))")
        }
    }

    private static func plain(_ result: RawJSON, of method: String) -> RawJSON {
        let plain = ModernResult.plain(result, of: method)
        // Anything but an object came with this protocol; the text beside it says the same.
        guard method == "tools/call", let structure = plain["structuredContent"], !structure.isObject else {
            return plain
        }
        return plain.removing(["structuredContent"])
    }

    /// Asks the gateway what the server wants to know.
    private mutating func ask(_ call: Call, _ wanted: InputRequired) throws(RPC.Error) -> [Action] {
        var call = call
        call.round += 1
        guard InputRequired.methods.contains(call.request.method) || call.task != nil else {
            throw .internalError("the server wants input for \(call.request.method), which cannot be")
        }
        guard call.round <= Self.maximumRounds else {
            throw .internalError("the server asked for input more than \(Self.maximumRounds) times in one call")
        }
        for ask in wanted.asks where !ClientCapability.allows(ask.method, ask.params, client.capabilities) {
            throw .internalError("the server needs \(ask.method), which this client does not offer")
        }
        (call.state, call.responses, call.open) = (wanted.state, [], Set(wanted.asks.map(\.key)))
        let id = makeID()
        calls[id] = call
        current[call.request.id] = id
        if wanted.asks.isEmpty {
            return [.wait(.milliseconds(50 << min(call.round - 1, 3)), .again(id))]
        }
        return wanted.asks.map { ask in
            let question = makeID()
            asks[question] = (id, ask.key)
            let params = CallTag.write(call.request.id, into: Self.identified(ask, question))
            return .deliver(.request(RPC.Request(id: question, method: ask.method, params: params)))
        }
    }

    /// Visits to a URL have a name of their own in the handshake era.
    private static func identified(_ ask: InputRequired.Ask, _ id: RPC.ID) -> RawJSON? {
        guard let params = ask.params, params["mode"]?.string == "url", params["elicitationId"] == nil else {
            return ask.params
        }
        return params.replacing("elicitationId", with: RawJSON(.string("wharf-\(id.text.filter { $0 != "\"" })")))
    }

    /// The gateway has answered one of the questions.
    mutating func answered(_ response: RPC.Response) -> [Action] {
        guard let id = response.id, let ask = asks.removeValue(forKey: id), var call = calls[ask.call] else {
            return []
        }
        switch response.outcome {
        case .failure(let error):
            return forget(ask.call) + [Self.reply(call.request.id, error)]
        case .success(let result):
            call.open.remove(ask.key)
            call.responses.append((ask.key, result))
            calls[ask.call] = call
            return call.open.isEmpty ? again(ask.call) : []
        }
    }

    /// Repeats a call with what has been found out.
    mutating func again(_ id: RPC.ID) -> [Action] {
        guard let call = calls.removeValue(forKey: id) else { return [] }
        current[call.request.id] = nil
        return call.task == nil ? send(call) : update(call)
    }

    /// The gateway has taken a request back.
    mutating func cancelled(_ request: RPC.ID) -> [Action] {
        guard let id = current[request] else { return [] }
        let task = calls[id]?.task
        let isWaiting = !(calls[id]?.open.isEmpty ?? true)
        var actions = forget(id)
        if !isWaiting { actions.append(.cancel(id)) }
        if let task { actions.append(.send(.request(taskRequest("tasks/cancel", task)))) }
        return actions
    }

    /// Drops a call; its open questions are taken back.
    private mutating func forget(_ id: RPC.ID) -> [Action] {
        if let call = calls.removeValue(forKey: id) { current[call.request.id] = nil }
        let questions = asks.filter { $0.value.call == id }.keys
        return questions.map { question in
            asks[question] = nil
            let params = RawJSON(object: [("requestId", question.json)])
            return .deliver(.notification(RPC.Notification(method: "notifications/cancelled", params: params)))
        }
    }
}

// Tasks of servers that insist on them, for clients that do not know them.
extension ModernServer {
    private func taskRequest(_ method: String, _ task: String, id: RPC.ID = RPC.ID("w0")) -> RPC.Request {
        let params = envelope(declaringTasks: true).written(into: RawJSON(["taskId": .string(task)]))
        return RPC.Request(id: id, method: method, params: params)
    }

    private mutating func wait(for call: Call, _ task: RawJSON) -> [Action] {
        let id = makeID()
        calls[id] = call
        current[call.request.id] = id
        let interval = (try? task["pollIntervalMs"]?.parsed())?.int ?? 500
        return [.wait(.milliseconds(min(max(interval, 50), 30_000)), .poll(id))]
    }

    mutating func poll(_ id: RPC.ID) -> [Action] {
        guard let call = calls.removeValue(forKey: id), let task = call.task else { return [] }
        let next = makeID()
        calls[next] = call
        current[call.request.id] = next
        return [.send(.request(taskRequest("tasks/get", task, id: next)))]
    }

    private mutating func polled(_ call: Call, _ task: RawJSON) throws(RPC.Error) -> [Action] {
        let id = call.request.id
        switch task["status"]?.string {
        case "completed":
            return [Self.reply(id, Self.plain(task["result"] ?? RawJSON([:]), of: call.request.method))]
        case "failed":
            return [Self.reply(id, task["error"].map { RPC.Error($0) } ?? .internalError("the server's task failed"))]
        case "cancelled": throw .internalError("the server's task was cancelled")
        case "input_required" where task["inputRequests"]?.members().isEmpty == false:
            let wanted = RawJSON(object: [("inputRequests", task["inputRequests"] ?? RawJSON([:]))])
            return try ask(call, InputRequired(wanted))
        default: return wait(for: call, task)
        }
    }

    /// Gives the answers to the task, and goes on waiting for it.
    private mutating func update(_ call: Call) -> [Action] {
        guard let task = call.task else { return [] }
        var update = taskRequest("tasks/update", task, id: makeID())
        update = RPC.Request(
            id: update.id, method: update.method,
            params: update.params?.replacing("inputResponses", with: RawJSON(object: call.responses)))
        return [.send(.request(update))] + wait(for: call, RawJSON([:]))
    }
}
