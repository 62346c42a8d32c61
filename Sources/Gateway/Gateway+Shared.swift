internal import Core
internal import MCP
internal import Synchronization
internal import Toolkit

/// Servers that several clients use, and what they want of them together.
extension Gateway {
    /// The one upstream of a server that all use, made when first wanted.
    func sharedUpstream(_ server: String) -> Upstream? {
        let (upstream, isNew) = state.withLock { state -> (Upstream?, Bool) in
            guard !state.isClosed,
                let place = state.records.firstIndex(where: { $0.deployment.server.name == server })
            else { return (nil, false) }
            if let shared = state.records[place].shared { return (shared, false) }
            let made = Upstream(state.records[place].deployment, of: self, owner: nil)
            state.records[place].shared = made
            return (made, true)
        }
        guard isNew, let upstream else { return upstream }
        return launch(upstream) ? upstream : nil
    }

    func runningShared(_ server: String) -> Upstream? {
        state.withLock { $0.records.first { $0.deployment.server.name == server }?.shared }
    }

    /// Whom something may concern that a server says.
    func sessions(of upstream: Upstream) -> [Session] { upstream.owner.map { [$0] } ?? allSessions }

    /// The most verbose level that clients want; nil where none has said.
    func sharedLevel(of upstream: Upstream) -> LogLevel? { allSessions.compactMap(\.level).min() }

    func levelChanged() {
        for upstream in state.withLock({ $0.records.compactMap(\.shared) }) {
            guard let link = upstream.link, link.has("logging"), let level = sharedLevel(of: upstream) else { continue }
            link.peer.ask("logging/setLevel", RawJSON(["level": .string(level.rawValue)])) { _ in }
        }
    }

    // MARK: subscriptions

    private func wanted(of upstream: Upstream) -> Set<String> {
        sessions(of: upstream).reduce(into: []) { uris, session in
            for route in session.state.withLock({ Array($0.subscriptions.values) })
            where route.server == upstream.server {
                uris.insert(route.name)
            }
        }
    }

    /// The resources that clients want to hear of, under the server's own URIs.
    func subscriptions(of upstream: Upstream) -> [String] { wanted(of: upstream).sorted() }

    func isSubscribed(to upstream: Upstream) -> Bool { !wanted(of: upstream).isEmpty }

    /// Whether any client wants to hear of a resource.
    func isWanted(_ route: Surface.Route) -> Bool {
        allSessions.contains { session in session.state.withLock { $0.subscriptions.values.contains(route) } }
    }

    func updated(_ notification: RPC.Notification, by upstream: Upstream) {
        guard let uri = notification.params?["uri"]?.string else { return }
        let route = Surface.Route(server: upstream.server, name: uri)
        for session in sessions(of: upstream) { session.updated(notification, route) }
    }

    /// A client has left: what only it wanted to hear of from servers that go on is not wanted any more.
    func unsubscribe(_ session: Session) {
        let routes = session.state.withLock { state in
            defer { state.subscriptions = [:] }
            return Set(state.subscriptions.values)
        }
        for route in routes where !isWanted(route) {
            guard let peer = runningShared(route.server)?.link?.peer else { continue }
            peer.ask("resources/unsubscribe", RawJSON(["uri": .string(route.name)])) { _ in }
        }
    }
}
