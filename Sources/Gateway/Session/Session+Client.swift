internal import Core
internal import MCP
internal import Synchronization

/// Towards the client: what servers ask of it and tell it.
extension Session {
    /// How a request of a server is answered that no client can answer.
    static func refusal(of method: String, _ reason: String) throws(RPC.Error) -> Peer.Admission {
        // What was to be asked of a person has not been: that is an answer too.
        if method == "elicitation/create" { return .answer(RawJSON(["action": "cancel"])) }
        throw RPC.Error(code: -32601, message: "\(method.prefix(64)) is not possible: \(reason)")
    }

    /// Passes a server's request on to the client.
    func ask(
        _ request: RPC.Request, from server: Peer, relatedTo: RPC.ID?
    ) throws(RPC.Error) -> Peer.Admission {
        let (client, capabilities) = state.withLock { ($0.client, $0.capabilities) }
        guard let client else { return try Self.refusal(of: request.method, "the client has left") }
        guard Self.allows(request, capabilities) else {
            return try Self.refusal(of: request.method, "the client has not declared it")
        }
        guard client.hasRoom else { return try Self.refusal(of: request.method, "the client does not read") }
        if let id = request.params?["elicitationId"]?.string { elicited(id) }
        let (own, token) = (request.id, request.params?["_meta"]?["progressToken"])
        var onProgress: (@Sendable (RawJSON) -> Void)?
        if let token {
            onProgress = { _ = server.notify("notifications/progress", $0.replacing("progressToken", with: token)) }
        }
        let id = client.ask(
            request.method, request.params, relatedTo: relatedTo, onProgress: onProgress
        ) { outcome in
            server.answer(own, outcome.mapError { .answering(($0 as? NotSent)?.reason ?? $0) })
        }
        return .forwarded { params in if let id { client.withdraw(id, params) } }
    }

    /// Whether a client of these capabilities can be asked something.
    static func allows(_ request: RPC.Request, _ capabilities: RawJSON) -> Bool {
        func has(_ path: String...) -> Bool {
            path.reduce(capabilities as RawJSON?) { $0?[$1] }?.isObject ?? false
        }
        switch request.method {
        case "sampling/createMessage":
            return has("sampling") && (request.params?["tools"] == nil || has("sampling", "tools"))
        case "elicitation/create":
            if request.params?["mode"]?.string == "url" { return has("elicitation", "url") }
            return has("elicitation", "form") || has("elicitation") && !has("elicitation", "url")
        case "roots/list": return has("roots")
        case "tasks/get", "tasks/result", "tasks/list", "tasks/cancel": return has("tasks")
        // What is not known here may be known to both ends.
        default: return true
        }
    }

    /// Passes a server's notification on. The client misses some where it does not read.
    func tell(_ notification: RPC.Notification, relatedTo: RPC.ID?) {
        let (client, level) = state.withLock { ($0.client, $0.level) }
        guard let client, client.hasRoom else { return }
        if notification.method == "notifications/message", let level, let own = LogLevel(of: notification.params),
            own < level
        {
            return
        }
        client.notify(notification.method, notification.params, relatedTo: relatedTo)
    }

    /// Remembers an elicitation, so that its end is told to whom it concerns.
    func elicited(_ id: String) {
        guard id.utf8.count <= 256 else { return }
        state.withLock { state in
            state.elicitations.append(id)
            if state.elicitations.count > 64 { state.elicitations.removeFirst() }
        }
    }

    func completed(_ notification: RPC.Notification) {
        guard let id = notification.params?["elicitationId"]?.string,
            state.withLock({ $0.elicitations.contains(id) })
        else { return }
        tell(notification, relatedTo: nil)
    }

    func taskChanged(_ notification: RPC.Notification, at server: String) {
        guard let params = notification.params, let id = params["taskId"]?.string,
            let name = state.withLock({ $0.tasks.name(.init(server: server, id: id)) })
        else { return }
        let changed = name == id ? params : params.replacing("taskId", with: RawJSON(.string(name)))
        tell(RPC.Notification(method: notification.method, params: changed), relatedTo: nil)
    }

    /// A resource has changed, under the server's own URI.
    func updated(_ notification: RPC.Notification, _ route: Surface.Route) {
        let shown = state.withLock { $0.subscriptions.first { $0.value == route }?.key }
        guard let shown, let params = notification.params else { return }
        let changed = shown == route.name ? params : params.replacing("uri", with: RawJSON(.string(shown)))
        tell(RPC.Notification(method: notification.method, params: changed), relatedTo: nil)
    }

    /// The servers' lists have changed, perhaps: tells the client of those it has seen and that differ.
    func refresh() {
        let before = state.withLock { state in
            state.surface = nil
            state.changes += 1
            return state.shown
        }
        guard !before.isEmpty else { return }
        let now = surface
        var changed = Set<String>()
        for (kind, old) in before where !now.isEqual(to: old, kind) {
            changed.insert(kind.capability)
            state.withLock { $0.shown[kind] = now }
        }
        if !changed.isEmpty { gateway.wasShown(now, view) }
        let client = state.withLock { $0.client }
        for name in changed.sorted() { client?.notify("notifications/\(name)/list_changed") }
    }

    /// What a server of this session alone has listed.
    ///
    /// - Parameter known: what is known of the server for everybody.
    func listed(_ listing: ServerListing, of server: String, known: ServerListing?) {
        let isNews = state.withLock { state in
            let before = state.overlays[server]
            state.overlays[server] = listing == known ? nil : listing
            return before != state.overlays[server]
        }
        if isNews { refresh() }
    }
}
