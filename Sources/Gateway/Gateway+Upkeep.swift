internal import Core
internal import DockerEngine
internal import MCP
internal import Synchronization
package import Toolkit

/// What is done from time to time, and when the configuration changes.
extension Gateway {
    /// Every server that runs or has run.
    var allUpstreams: [Upstream] {
        let (sessions, shared) = state.withLock { (Array($0.sessions.values), $0.records.compactMap(\.shared)) }
        return shared + sessions.flatMap(\.upstreams)
    }

    /// Makes sure that one more server may run; one that nobody uses is stopped for it where need be.
    ///
    /// - Returns: false where all are in use.
    func makeRoom(for upstream: Upstream) -> Bool {
        let limit = state.withLock { $0.settings.maximumRunning }
        let running = allUpstreams.filter { $0 !== upstream && $0.isRunning }
        if running.count < limit { return true }
        return running.sorted { $0.idleTime > $1.idleTime }.contains { $0.rest() }
    }

    /// Starts what is to run before anybody uses it.
    func startEagerly(for session: Session) {
        let (isEager, deployments) = state.withLock { ($0.settings.isEager, $0.records.map(\.deployment)) }
        guard isEager else { return }
        for deployment in deployments where session.view.shows(deployment.server.name) && deployment.sharing != .call {
            session.upstream(deployment.server.name)?.wake()
        }
    }

    /// Looks after deadlines and idle servers until cancelled.
    func upkeep() async {
        let settings = state.withLock { $0.settings }
        let shortest = [settings.idleTimeout, settings.callTimeout, settings.callLimit].compactMap { $0 }.min()
        let beat = max(min(.seconds(1), (shortest ?? .seconds(4)) / 4), .milliseconds(20))
        while !Task.isCancelled {
            do { try await Task.sleep(for: beat) } catch { return }
            let now = ContinuousClock.now
            for upstream in allUpstreams { upstream.tick(now: now) }
            writeReport()
        }
    }

    /// Takes another configuration. Servers for which nothing changes go on; one that changes is started anew when it is
    /// wanted next, and its calls under way are waited for. Clients are told of lists that change.
    package func apply(servers: [Server], settings: GatewaySettings) async {
        let deployments = servers.map { Deployment(server: $0, settings: settings, owner: owner, engine: engine) }
        var (added, changed, removed): ([String], [String], [String]) = ([], [], [])
        let (retired, fresh) = state.withLock { state -> ([Upstream], [Deployment]) in
            var old = Dictionary(uniqueKeysWithValues: state.records.map { ($0.deployment.server.name, $0) })
            var retired: [Upstream] = []
            var fresh: [Deployment] = []
            state.records = deployments.map { deployment in
                let name = deployment.server.name
                guard let known = old.removeValue(forKey: name) else {
                    added.append(name)
                    fresh.append(deployment)
                    return Record(deployment: deployment)
                }
                if known.deployment.isSame(as: deployment) { return known }
                changed.append(name)
                fresh.append(deployment)
                if let shared = known.shared { retired.append(shared) }
                return Record(deployment: deployment)
            }
            removed = old.keys.sorted()
            retired += old.values.compactMap(\.shared)
            state.settings = settings
            state.surfaces = [:]
            return (retired, fresh)
        }
        let gone = Set(changed + removed)
        for upstream in retired { upstream.retire() }
        for session in allSessions { session.forget(gone) }
        await lookUp(fresh, settings)
        if !(added + changed + removed).isEmpty {
            tell(.reloaded(added: added, changed: changed, removed: removed))
        }
        refresh()
        // Lists that nothing is known of yet are asked for by whoever is there to see them.
        for session in allSessions {
            perform { [self] in
                await waitForListings(session.view, for: session)
                session.refresh()
            }
        }
    }
}

extension Session {
    /// Servers have another configuration, or none any more.
    func forget(_ servers: Set<String>) {
        let upstreams = state.withLock { state in
            state.overlays = state.overlays.filter { !servers.contains($0.key) }
            let gone = state.upstreams.filter { servers.contains($0.key) }
            for server in gone.keys { state.upstreams[server] = nil }
            return Array(gone.values)
        }
        for upstream in upstreams { upstream.retire() }
    }
}
