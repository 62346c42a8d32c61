internal import Core
internal import MCP

extension ModernServer {
    /// The one subscription that stands for everything the gateway wants to hear of a server.
    struct Listening: Sendable {
        /// The request that is open now.
        var id: RPC.ID?
        var isAcknowledged = false
        var subjects: [Subject] = []
        /// Requests to be answered when the server has acknowledged.
        var waiting: [RPC.ID] = []
        var failures = 0
        /// Whether changes may have been missed.
        var hasGap = false
    }

    static let maximumSubscriptions = 1024
    private static let lists = ["tools", "prompts", "resources"]

    private var wantedLists: [String] {
        Self.lists.filter { capabilities[$0]?["listChanged"]?.isTrue == true }
    }

    /// Opens the subscription, or another one in its place; the old one ends when the new one stands.
    mutating func listen() -> [Action] {
        let old = listening.id
        let lists = wantedLists
        guard !lists.isEmpty || !listening.subjects.isEmpty else {
            listening.id = nil
            return (old.map { [.cancel($0)] } ?? []) + answerWaiting(nil)
        }
        var filter = JSON.Object(lists.map { ("\($0)ListChanged", true) })
        for (name, value) in Subject.filter(listening.subjects) { filter[name] = value }
        let id = makeID()
        (listening.id, listening.isAcknowledged) = (id, false)
        let params = envelope(declaringTasks: filter["taskIds"] != nil).written(
            into: RawJSON(["notifications": .object(filter)]))
        let request = RPC.Request(id: id, method: "subscriptions/listen", params: params)
        return [.send(.request(request))] + (old.map { [.cancel($0)] } ?? [])
    }

    mutating func subscribe(_ request: RPC.Request) -> [Action] {
        guard let subject = Subject(of: request) else {
            return [Self.reply(request.id, .invalidParams("\(request.method) without a name"))]
        }
        guard !listening.subjects.contains(subject) else { return [Self.reply(request.id, RawJSON([:]))] }
        guard listening.subjects.count < Self.maximumSubscriptions else {
            return [Self.reply(request.id, .internalError("more than \(Self.maximumSubscriptions) subscriptions"))]
        }
        listening.subjects.append(subject)
        listening.waiting.append(request.id)
        return listen()
    }

    mutating func unsubscribe(_ request: RPC.Request) -> [Action] {
        let subject = Subject(of: request)
        let isKnown = listening.subjects.contains { $0 == subject }
        listening.subjects.removeAll { $0 == subject }
        return (isKnown ? listen() : []) + [Self.reply(request.id, RawJSON([:]))]
    }

    mutating func acknowledged(_ params: RawJSON?) -> [Action] {
        guard let id = listening.id, params?["_meta"]?[Envelope.subscriptionKey].flatMap(RPC.ID.init) ?? id == id else {
            return []
        }
        (listening.isAcknowledged, listening.failures) = (true, 0)
        var actions = answerWaiting(nil)
        if listening.hasGap {
            // Nothing is repeated to who was away: everything may have changed.
            listening.hasGap = false
            actions += wantedLists.map { list in
                .deliver(.notification(RPC.Notification(method: "notifications/\(list)/list_changed")))
            }
            actions += listening.subjects.compactMap { subject in
                // How a task is now, only its server can tell; its client asks when it wants to know.
                guard case .resource(let uri) = subject else { return nil }
                let params = RawJSON(["uri": .string(uri)])
                return .deliver(
                    .notification(RPC.Notification(method: "notifications/resources/updated", params: params)))
            }
        }
        return actions
    }

    mutating func listeningEnded(_ outcome: Result<RawJSON, RPC.Error>) -> [Action] {
        if case .failure(let error) = outcome, !listening.isAcknowledged {
            listening.id = nil
            let waiting = answerWaiting(error)
            // Refused for good; what broke on the way is tried again.
            guard error.code != -32601, error.code != -32602 else {
                return waiting + [.log("the server does not tell of changes: \(error)")]
            }
            return waiting + lost()
        }
        return lost()
    }

    /// The subscription is gone without our doing: another one, after a pause that grows.
    mutating func lost() -> [Action] {
        (listening.id, listening.isAcknowledged, listening.hasGap) = (nil, false, true)
        listening.failures += 1
        return [.wait(.seconds(min(1 << min(listening.failures - 1, 5), 30)), .listen)]
    }

    private mutating func answerWaiting(_ error: RPC.Error?) -> [Action] {
        defer { listening.waiting = [] }
        return listening.waiting.map { id in
            error.map { Self.reply(id, $0) } ?? Self.reply(id, RawJSON([:]))
        }
    }
}
