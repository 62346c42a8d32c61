internal import Core
internal import MCP

extension ModernClient {
    /// One `subscriptions/listen` of the client.
    struct Listen: Sendable {
        let id: RPC.ID
        var lists: Set<String>
        var subjects: Set<Subject>
        /// Subscriptions the gateway has not answered yet; the client is told when all are.
        var waiting: Set<RPC.ID> = []
        var isAcknowledged = false
    }

    /// What the gateway has been asked to tell of, for all of the client's streams together.
    struct Subscriptions: Sendable {
        var uses: [Subject: Int] = [:]
        /// Requests under way.
        var requests: [RPC.ID: (subject: Subject, exchange: Exchange)] = [:]
        /// Requests whose answers are of no interest.
        var silent: Set<RPC.ID> = []
        /// Lists that the gateway knows the client to know.
        var known: Set<String> = []
    }

    static let maximumSubjects = 256
    private static let lists = ["tools", "prompts", "resources"]

    mutating func listen(_ pending: Pending) -> [Action] {
        let filter = pending.request.params?["notifications"]
        guard let filter, filter.isObject else {
            return [.reply(pending.exchange, .failure(.invalidParams("subscriptions/listen without notifications")))]
        }
        func names(_ member: String) -> [String] {
            ((try? filter[member]?.parsed())?.array ?? []).compactMap(\.string)
        }
        let (wanted, tasks) = (names("resourceSubscriptions"), names("taskIds"))
        guard wanted.count + tasks.count <= Self.maximumSubjects else {
            let error = RPC.Error.invalidParams("more than \(Self.maximumSubjects) resources and tasks")
            return [.reply(pending.exchange, .failure(error))]
        }
        let lists = Self.lists.filter {
            filter["\($0)ListChanged"]?.isTrue == true && capabilities[$0]?["listChanged"]?.isTrue == true
        }
        var subjects: Set<Subject> = []
        if capabilities["resources"]?["subscribe"]?.isTrue == true { subjects.formUnion(wanted.map { .resource($0) }) }
        if capabilities["extensions"]?[Subject.tasks] != nil { subjects.formUnion(tasks.map { .task($0) }) }
        var listen = Listen(id: pending.request.id, lists: Set(lists), subjects: subjects)
        var actions: [Action] = []
        for subject in subjects.sorted() {
            subscriptions.uses[subject, default: 0] += 1
            guard subscriptions.uses[subject] == 1 else { continue }
            let id = makeID()
            subscriptions.requests[id] = (subject, pending.exchange)
            listen.waiting.insert(id)
            actions.append(.send(.request(subject.request("subscribe", id))))
        }
        listens[pending.exchange] = listen
        return know(lists) + actions + acknowledge(pending.exchange)
    }

    /// In the handshake era only who has asked for a list is told that it has changed.
    private mutating func know(_ lists: [String]) -> [Action] {
        lists.filter { subscriptions.known.insert($0).inserted }.map { list in
            let id = makeID()
            subscriptions.silent.insert(id)
            return .send(.request(RPC.Request(id: id, method: "\(list)/list")))
        }
    }

    /// Tells the client what it will hear of, once that is known.
    private mutating func acknowledge(_ exchange: Exchange) -> [Action] {
        guard let listen = listens[exchange], listen.waiting.isEmpty, !listen.isAcknowledged else { return [] }
        listens[exchange]?.isAcknowledged = true
        var honoured = JSON.Object(Self.lists.filter(listen.lists.contains).map { ("\($0)ListChanged", true) })
        for (name, value) in Subject.filter(listen.subjects.sorted()) { honoured[name] = value }
        let params = Self.stamped(RawJSON(["notifications": .object(honoured)]), listen)
        return [.notify(exchange, RPC.Notification(method: "notifications/subscriptions/acknowledged", params: params))]
    }

    private static func stamped(_ params: RawJSON?, _ listen: Listen) -> RawJSON {
        let params = params ?? RawJSON([:])
        let meta = params["_meta"].flatMap { $0.isObject ? $0 : nil } ?? RawJSON([:])
        return params.replacing("_meta", with: meta.replacing(Envelope.subscriptionKey, with: listen.id.json))
    }

    /// - Returns: nil where the answer is not about a subscription.
    mutating func subscribed(_ id: RPC.ID, _ outcome: Result<RawJSON, RPC.Error>) -> [Action]? {
        if subscriptions.silent.remove(id) != nil { return [] }
        guard let request = subscriptions.requests.removeValue(forKey: id) else { return nil }
        if case .failure = outcome {
            // Nobody will hear of it, whoever asked meanwhile.
            subscriptions.uses[request.subject] = nil
            for exchange in listens.keys { listens[exchange]?.subjects.remove(request.subject) }
        }
        listens[request.exchange]?.waiting.remove(id)
        return acknowledge(request.exchange)
    }

    mutating func unlisten(_ exchange: Exchange) -> [Action] {
        guard let listen = listens.removeValue(forKey: exchange) else { return [] }
        var actions: [Action] = []
        for subject in listen.subjects.sorted() {
            guard let uses = subscriptions.uses[subject] else { continue }
            subscriptions.uses[subject] = uses > 1 ? uses - 1 : nil
            guard uses == 1 else { continue }
            let id = makeID()
            subscriptions.silent.insert(id)
            actions.append(.send(.request(subject.request("unsubscribe", id))))
        }
        return actions
    }

    /// The result that ends a subscription from this side.
    func end(of listen: Listen) -> RawJSON {
        ModernResult.complete(Self.stamped(nil, listen), of: "subscriptions/listen", server: server)
    }

    /// A notification of the gateway's.
    mutating func heard(_ notification: RPC.Notification, _ related: RPC.ID?) -> [Action] {
        switch notification.method {
        case "notifications/progress":
            let token = notification.params?["progressToken"]
            let call =
                related.flatMap { calls[$0] }
                ?? calls.values.first { call in
                    token != nil && call.request.params?["_meta"]?["progressToken"] == token
                }
            return call?.exchange.map { [.notify($0, notification)] } ?? []
        case "notifications/message": return logged(notification, related)
        case "notifications/cancelled": return takenBack(notification)
        case "notifications/tools/list_changed", "notifications/prompts/list_changed",
            "notifications/resources/list_changed":
            let list = notification.method.split(separator: "/")[1]
            return tell(notification) { $0.lists.contains(String(list)) }
        case "notifications/resources/updated", "notifications/tasks":
            guard let subject = Subject(of: notification) else { return [] }
            return tell(notification) { $0.subjects.contains(subject) }
        // What only the handshake era knows.
        default: return []
        }
    }

    private func tell(_ notification: RPC.Notification, _ wants: (Listen) -> Bool) -> [Action] {
        listens.filter { $0.value.isAcknowledged && wants($0.value) }.sorted { $0.key.number < $1.key.number }.map {
            exchange, listen in
            .notify(
                exchange,
                RPC.Notification(
                    method: notification.method, params: Self.stamped(notification.params, listen)))
        }
    }

    /// To the call it belongs to, or else to all that want so much; never to a call that wants none.
    private func logged(_ notification: RPC.Notification, _ related: RPC.ID?) -> [Action] {
        guard let level = LogLevel(of: notification.params) else { return [] }
        let receivers = related.flatMap { calls[$0] }.map { [$0] } ?? Array(calls.values)
        return receivers.compactMap { call in
            guard let exchange = call.exchange, let wanted = call.envelope.level, level >= wanted else { return nil }
            return .notify(exchange, notification)
        }
    }

    /// A server does not want to know any more what it asked.
    private mutating func takenBack(_ notification: RPC.Notification) -> [Action] {
        guard let id = notification.params?["requestId"].flatMap(RPC.ID.init) else { return [] }
        for call in calls.keys { calls[call]?.asks.removeAll { $0.id == id } }
        return []
    }
}
