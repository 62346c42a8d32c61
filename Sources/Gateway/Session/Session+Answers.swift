internal import Core
internal import MCP
internal import Synchronization

/// What the gateway answers by itself.
extension Session {
    func step(_ request: RPC.Request) throws(RPC.Error) -> RawJSON? {
        let answer = try state.withLock { state throws(RPC.Error) in
            let answer = try state.lifecycle.step(request)
            if request.method == "initialize" {
                let stated = request.params?["capabilities"]
                state.capabilities = stated?.isObject == true ? stated ?? RawJSON([:]) : RawJSON([:])
                state.isModern = Envelope.isMarked(request.params)
                let client = request.params?["clientInfo"]
                let words = [client?["name"]?.string ?? "unknown", client?["version"]?.string ?? ""]
                state.clientName = words.filter { !$0.isEmpty }.map { String($0.prefix(64)) }.joined(separator: " ")
            }
            return answer
        }
        if request.method == "initialize" {
            capabilities.fulfil(.success(state.withLock { $0.capabilities }))
        }
        return answer
    }

    func page(_ kind: ListKind, _ request: RPC.Request) throws(RPC.Error) -> RawJSON {
        let cursor = request.params?["cursor"].flatMap { $0.isNull ? nil : $0 }
        if let cursor {
            guard let text = cursor.string else { throw .invalidParams("a cursor is a string") }
            let paged = state.withLock { $0.paged[kind] }
            return try (paged?.knows(text) == true ? paged ?? surface : surface)
                .page(kind, cursor: text, version: revision)
        }
        let surface = surface
        state.withLock { state in
            state.shown[kind] = surface
            state.paged[kind] = surface
        }
        gateway.wasShown(surface, view)
        return try surface.page(kind, cursor: nil, version: revision)
    }

    func plan(_ request: RPC.Request) throws(RPC.Error) -> Plan? {
        try Plan.make(request, surface) { name in state.withLock { $0.tasks.place(name) } }
    }

    /// What need not go to the server: another client still wants to hear of a resource that this one does not.
    func shortcut(_ plan: Plan) throws(RPC.Error) -> RawJSON? {
        guard case .unsubscribe(let shown) = plan.effect, gateway.deployment(plan.server)?.sharing == .shared else {
            return nil
        }
        guard let route = state.withLock({ $0.subscriptions.removeValue(forKey: shown) }) else { return nil }
        return gateway.isWanted(route) ? RawJSON([:]) : nil
    }

    func setLevel(_ request: RPC.Request) throws(RPC.Error) -> RawJSON {
        guard let level = LogLevel(of: request.params) else {
            throw .invalidParams("the level is none of \(LogLevel.names)")
        }
        let own = state.withLock { state in
            state.level = level
            return Array(state.upstreams.values)
        }
        for upstream in own {
            guard let link = upstream.link, link.has("logging") else { continue }
            link.peer.ask("logging/setLevel", request.params) { _ in }
        }
        gateway.levelChanged()
        return RawJSON([:])
    }

    /// The client's tasks at all servers that run for it.
    func tasks() async throws -> RawJSON {
        let servers = gateway.servers(view)
        let found = try await withThrowingTaskGroup(of: (Int, [RawJSON]).self) { group in
            for (place, server) in servers.enumerated() {
                guard let upstream = state.withLock({ $0.upstreams[server] }) ?? gateway.runningShared(server),
                    let link = upstream.link, link.has("tasks")
                else { continue }
                group.addTask { (place, await self.tasks(at: server, link)) }
            }
            return try await group.reduce(into: [Int: [RawJSON]]()) { $0[$1.0] = $1.1 }
        }
        return RawJSON(object: [("tasks", RawJSON(array: servers.indices.flatMap { found[$0] ?? [] }))])
    }

    /// The client's tasks at one server, of all its pages; none, where the server fails or takes long: it must not
    /// empty or delay the others'.
    private func tasks(at server: String, _ link: Upstream.Link) async -> [RawJSON] {
        let pages = try? await withDeadline(Self.taskPatience, "did not list its tasks") {
            var (pages, cursor): ([RawJSON], RawJSON?) = ([], nil)
            for _ in 0..<100 {
                let params = cursor.map { RawJSON(object: [("cursor", $0)]) }
                let page = try await link.peer.request("tasks/list", params)
                pages.append(page)
                guard let next = page["nextCursor"], !next.isNull else { break }
                cursor = next
            }
            return pages
        }
        let all = (pages ?? []).flatMap { (try? $0["tasks"]?.elements()) ?? [] }
        return all.prefix(10_000).compactMap { task in
            guard let id = task["taskId"]?.string,
                let name = state.withLock({ $0.tasks.name(.init(server: server, id: id)) })
            else { return nil }
            return name == id ? task : task.replacing("taskId", with: RawJSON(.string(name)))
        }
    }

    private static let taskPatience = Duration.seconds(5)

    private static let passed: Set<String> = ["notifications/roots/list_changed", "notifications/tasks/status"]

    func receive(_ notification: RPC.Notification, from client: Peer) async {
        guard Self.passed.contains(notification.method) || surface.sources.count == 1 else { return }
        // The handshake with each server is the gateway's own.
        guard notification.method != "notifications/initialized" else { return }
        for upstream in state.withLock({ Array($0.upstreams.values) }) {
            guard let peer = upstream.link?.peer, peer.hasRoom else { continue }
            peer.notify(notification.method, notification.params)
        }
    }
}
