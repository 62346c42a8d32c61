internal import Core
internal import MCP
internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import Toolkit

/// One client's session with the gateway: what it has asked for, has been shown, and which servers work for it.
final class Session: Sendable {
    struct State: Sendable {
        var lifecycle: ServerLifecycle
        var client: Peer?
        /// As the client declared them.
        var capabilities = RawJSON([:])
        var level: LogLevel?
        /// What the client sees; nil before it has asked, and when something has changed.
        var surface: Surface?
        /// How often something has changed.
        var changes = 0
        /// What the client knows of each list, from asking or from being told that it has changed.
        var shown: [ListKind: Surface] = [:]
        /// What each list's first page was of, for the others.
        var paged: [ListKind: Surface] = [:]
        /// Lists of servers that say something else to this client than to others.
        var overlays: [String: ServerListing] = [:]
        var upstreams: [String: Upstream] = [:]
        /// Those of single calls.
        var passing: [ObjectIdentifier: Upstream] = [:]
        /// Resources it wants to hear of, by the URIs it knows.
        var subscriptions: [String: Surface.Route] = [:]
        var tasks = TaskTable()
        /// Elicitations by URL that it has been told of.
        var elicitations: [String] = []
        var calls = 0
        /// What it calls itself; nil before it has.
        var clientName: String?
        /// Whether it is a modern one, to whom the bridge makes a session.
        var isModern = false
        var isClosed = false
    }

    let gateway: Gateway
    let view: GatewayView
    /// Where its client and its servers are talked to: a call and its answer change no threads.
    let executor = LoopExecutor(MultiThreadedEventLoopGroup.singleton.any())
    let state: Mutex<State>
    /// What the client can be asked, once it has introduced itself.
    let capabilities = Promise<RawJSON>()
    let began = Timestamp.now

    init(_ gateway: Gateway, view: GatewayView) {
        self.gateway = gateway
        self.view = view
        state = Mutex(State(lifecycle: ServerLifecycle { gateway.identity(view, $0) }))
    }

    /// A session without a client, for the gateway's own use.
    static func own(_ gateway: Gateway) -> Session {
        let session = Session(gateway, view: .all)
        session.capabilities.fulfil(.success(RawJSON([:])))
        return session
    }

    var level: LogLevel? { state.withLock { $0.level } }

    var version: ProtocolVersion {
        state.withLock { if case .initialized(let version) = $0.lifecycle.phase { version } else { .latest } }
    }

    /// What the client knows: decides how things are said to it.
    var revision: Revision { state.withLock { $0.isModern } ? .latest : Revision(version) }

    func connected(to client: Peer) { state.withLock { $0.client = client } }

    /// What the client sees.
    var surface: Surface {
        let (known, overlays, changes) = state.withLock { ($0.surface, $0.overlays, $0.changes) }
        if let known { return known }
        let surface = gateway.surface(view, overlays: overlays)
        // Not where something has changed while it was put together.
        state.withLock { if $0.changes == changes { $0.surface = surface } }
        return surface
    }

    /// The server's own upstream for this session; nil for a server that there is not.
    func upstream(_ server: String) -> Upstream? {
        guard view.shows(server), let deployment = gateway.deployment(server) else { return nil }
        switch deployment.sharing {
        case .shared: return gateway.sharedUpstream(server)
        case .session:
            return ownUpstream(deployment)
        case .call:
            let upstream = Upstream(deployment, of: gateway, owner: self)
            let isOpen = state.withLock { state in
                if !state.isClosed { state.passing[ObjectIdentifier(upstream)] = upstream }
                return !state.isClosed
            }
            return isOpen && gateway.launch(upstream) ? upstream : nil
        }
    }

    /// One that goes on between calls, however calls are run.
    func ownUpstream(_ deployment: Deployment) -> Upstream? {
        let server = deployment.server.name
        let (upstream, isNew, old) = state.withLock { state -> (Upstream?, Bool, Upstream?) in
            guard !state.isClosed else { return (nil, false, nil) }
            let known = state.upstreams[server]
            if let known, known.deployment === deployment { return (known, false, nil) }
            let upstream = Upstream(deployment, of: gateway, owner: self)
            state.upstreams[server] = upstream
            return (upstream, true, known)
        }
        old?.retire()
        if isNew, let upstream, !gateway.launch(upstream) { return nil }
        return upstream
    }

    /// Puts an upstream away that served one call.
    func release(_ upstream: Upstream) {
        guard upstream.deployment.sharing == .call else { return }
        let isPassing = state.withLock { $0.passing.removeValue(forKey: ObjectIdentifier(upstream)) != nil }
        if isPassing { upstream.retire() }
    }

    /// Those that run, or have run, for this session alone.
    var upstreams: [Upstream] {
        state.withLock { Array($0.upstreams.values) + Array($0.passing.values) }
    }

    /// The client has left.
    func close() async {
        let upstreams = state.withLock { state -> [Upstream] in
            state.isClosed = true
            state.client = nil
            defer { (state.upstreams, state.passing) = ([:], [:]) }
            return Array(state.upstreams.values) + Array(state.passing.values)
        }
        capabilities.fulfil(.failure(Failure(.cancelled, "the client has left")))
        for upstream in upstreams { upstream.stop() }
        for upstream in upstreams { await upstream.waitUntilEnded() }
    }

    /// Waits where the client does not read what it is sent.
    func room() async { await state.withLock { $0.client }?.room() }
}
