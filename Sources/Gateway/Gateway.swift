internal import Bridge
package import Core
package import DockerEngine
package import MCP
internal import Synchronization
internal import SystemPackage
package import Toolkit

/// The chosen servers behind one set of lists: the gateway's behaviour, whatever transport clients use.
package final class Gateway: Sendable {
    /// What is known of one server, whoever runs it.
    struct Record: Sendable {
        var deployment: Deployment
        var listing: ServerListing?
        /// Why its lists cannot be had.
        var failure: Failure?
        /// Whether a server has told its lists since the gateway was started.
        var isConfirmed = false
        /// Whether clients have waited for its lists long enough.
        var isLate = false
        /// The one that all clients use.
        var shared: Upstream?
        /// Of those that are gone.
        var pastCalls = 0
        var pastFailures = 0
        var pastError: String?
    }

    struct State: Sendable {
        var records: [Record]
        var settings: GatewaySettings
        var sessions: [ObjectIdentifier: Session] = [:]
        /// What clients without peculiarities see, as long as nothing has changed.
        var surfaces: [GatewayView: Surface] = [:]
        /// What clients of a view have been shown last: names that are in it stay.
        var shown: [GatewayView: Surface] = [:]
        var own: Session?
        var report = JSON.null
        var file: StateFile?
        var hasNoFile = false
        /// Whose warnings have been told.
        var warned: Set<ObjectIdentifier> = []
        /// Whether what is on disk has been looked at.
        var isLookedUp = false
        var isClosed = false
    }

    let state: Mutex<State>
    let engine: Engine?
    let owner = Owner.make()
    let began = Timestamp.now
    /// Which protocol each server speaks, as far as that has been found out.
    let verdicts: EraVerdicts
    private let crew = Crew()
    private let events = EventQueue()
    /// Fulfilled when what is on disk has been looked at.
    let lookedUp = Promise<Void>()

    private init(servers: [Server], settings: GatewaySettings, engine: Engine?) {
        self.engine = engine
        verdicts = EraVerdicts(file: settings.cache?.appending("eras"))
        let owner = owner
        let records = servers.map {
            Record(deployment: Deployment(server: $0, settings: settings, owner: owner, engine: engine))
        }
        state = Mutex(State(records: records, settings: settings))
    }

    /// Runs `body` with a gateway; when it ends, no server of the gateway's is left.
    ///
    /// - Parameters:
    ///   - engine: nil where the servers run beside the gateway.
    ///   - onEvent: told of what happens, one thing after the other; misses some where it takes too long.
    ///   - body: may start asking at once; answers wait for the servers they need.
    package static func run<R: Sendable>(
        servers: [Server], settings: GatewaySettings = GatewaySettings(), engine: Engine?,
        onEvent: @escaping @Sendable (GatewayEvent) async -> Void = { _ in },
        _ body: @escaping @Sendable (Gateway) async throws -> R
    ) async throws -> R {
        let gateway = Gateway(servers: servers, settings: settings, engine: engine)
        // A task of its own: also where this one is cancelled, a person wants to read what has been put away.
        let told = Task { await gateway.events.tell(onEvent) }
        let outcome = await Result { try await gateway.run(body) }
        gateway.removeReport()
        gateway.events.finish()
        await told.value
        return try outcome.get()
    }

    private func run<R: Sendable>(_ body: @escaping @Sendable (Gateway) async throws -> R) async throws -> R {
        try await withThrowingTaskGroup(of: R?.self) { group in
            group.addTask {
                await self.crew.run()
                return nil
            }
            group.addTask {
                await self.upkeep()
                return nil
            }
            if let engine {
                group.addTask {
                    await Owner.sweep(engine) { self.tell($0) }
                    return nil
                }
            }
            group.addTask {
                await self.lookUp()
                return nil
            }
            group.addTask { try await body(self) }
            defer { group.cancelAll() }
            while let finished = try await group.next() {
                if let result = finished {
                    await close()
                    return result
                }
            }
            throw CancellationError()
        }
    }

    private func close() async {
        let (own, shared) = state.withLock { state in
            state.isClosed = true
            return (state.own, state.records.compactMap(\.shared))
        }
        for upstream in shared { upstream.stop() }
        await own?.close()
        for upstream in shared { await upstream.waitUntilEnded() }
        crew.finish()
    }

    /// Tells of something that a person should know.
    package func warn(_ text: String) { tell(.warning(text)) }

    func tell(_ event: GatewayEvent) { events.add(event) }

    /// Does something in a task of the gateway's.
    func perform(_ body: @escaping @Sendable () async -> Void) { _ = crew.perform(body) }

    /// Has a server looked after: started when it is wanted.
    ///
    /// - Returns: false where the gateway is ending.
    func launch(_ upstream: Upstream) -> Bool {
        let isFirst = state.withLock { $0.warned.insert(ObjectIdentifier(upstream.deployment)).inserted }
        if isFirst { for warning in upstream.deployment.warnings { tell(.warning(warning)) } }
        return crew.perform(on: upstream.executor) { [self] in
            await upstream.run()
            remember(upstream)
        }
    }

    /// Serves one client over a transport until it leaves.
    ///
    /// - Throws: `NoServerReady` when no server's lists are known and not one can be started.
    package func serve(over transport: some Transport, view: GatewayView = .all, isOnly: Bool = false) async throws {
        let session = Session(self, view: view)
        state.withLock { $0.sessions[ObjectIdentifier(session)] = session }
        let outcome = await Result {
            try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask(executorPreference: session.executor) {
                    try await Peer.serve(over: transport, handler: session) { session.connected(to: $0) }
                    return true
                }
                // A gateway none of whose servers can be started is of no use: say why and end.
                if isOnly {
                    group.addTask {
                        try await self.requireListings(for: session)
                        return false
                    }
                }
                group.addTask {
                    _ = try? await session.capabilities.value
                    self.startEagerly(for: session)
                    return false
                }
                defer { group.cancelAll() }
                while let clientLeft = try await group.next() { if clientLeft { return } }
            }
        }
        _ = state.withLock { $0.sessions.removeValue(forKey: ObjectIdentifier(session)) }
        unsubscribe(session)
        await shielded { await session.close() }
        try outcome.get()
    }
}

/// A gateway is of no use: none of its servers could be started. Each reason has been told as an event before.
package struct NoServerReady: Error, CustomStringConvertible {
    package let failures: [Failure]

    package var description: String { failures.map(\.description).joined(separator: "; ") }

    /// For whoever has shown the events.
    package var short: Failure {
        Failure(failures.first?.code ?? .unavailable, "no MCP server could be started")
    }
}
