internal import Bridge
internal import Core
internal import MCP
internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import Toolkit

/// One running server: reached, watched, reached again when it dies, stopped when nobody uses it.
final class Upstream: Sendable {
    /// What there is while its session lasts.
    struct Link: Sendable {
        let peer: Peer
        let client: Client

        func has(_ capability: String) -> Bool { client.server.capabilities[capability]?.isObject ?? false }
    }

    struct State: Sendable {
        var life = UpstreamState<Link>(now: .now)
        var link: Link?
        var calls = CallTable<Session>()
        /// Lists that the server says have changed.
        var changes: AsyncStream<ListKind>.Continuation?
        /// Ends the life that goes on.
        var ending: Promise<Void>?
        /// Whether this life has come to a session.
        var wasReady = false
        /// To be stopped when its last call is over.
        var isRetiring = false
        var report = UpstreamReport()
        /// The last lines it wrote on its stderr.
        var complaints: [String] = []
    }

    let deployment: Deployment
    let gateway: Gateway
    /// Whose it is; nil where all clients use it.
    let owner: Session?
    /// Where it is talked to: beside the client whose it is.
    let executor: LoopExecutor
    let state = Mutex(State())
    /// Fulfilled when its lists are known, or when it has failed, for the first time.
    let settled = Promise<Void>()
    /// Fulfilled when it is stopped and nothing is left of it.
    let ended = Promise<Void>()
    private let stopping = Promise<Void>()
    private let wakes = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    var server: String { deployment.server.name }

    init(_ deployment: Deployment, of gateway: Gateway, owner: Session?) {
        self.deployment = deployment
        self.gateway = gateway
        self.owner = owner
        executor = owner?.executor ?? LoopExecutor(MultiThreadedEventLoopGroup.singleton.any())
    }

    /// The session, where it is there.
    var link: Link? { state.withLock { $0.link } }

    /// Has it started, if it is not running.
    func wake() { if state.withLock({ $0.life.wake() }) { wakes.continuation.yield() } }

    /// The session, waiting for the server where it is being started.
    ///
    /// - Throws: why the server is not there.
    func waitForLink() async throws -> Link {
        let (session, isNew) = state.withLock { $0.life.want(now: .now) }
        if isNew { wakes.continuation.yield() }
        defer { state.withLock { $0.life.done(now: .now) } }
        return try await session.value
    }

    /// Stops it for good; calls under way fail.
    func stop() { stopping.fulfil(.success(())) }

    /// Waits until nothing is left of it; not for ever, as an engine may not answer any more.
    func waitUntilEnded() async {
        try? await withDeadline(.seconds(20), "it does not end") { [ended] in try await ended.value }
    }

    /// Stops it for good when its last call is over.
    func retire() {
        let isBusy = state.withLock { state in
            state.isRetiring = true
            return !state.calls.isEmpty
        }
        if !isBusy { stop() }
    }

    /// What has to be done from time to time: calls whose time is over, servers that nobody uses.
    func tick(now: ContinuousClock.Instant) {
        let isNeeded = isNeeded
        let (late, peer, ending, isDone) = state.withLock { state -> ([RPC.ID], Peer?, Promise<Void>?, Bool) in
            let late = state.calls.expire(now: now)
            var ending: Promise<Void>?
            if let limit = deployment.launch.idleTimeout, !isNeeded,
                state.life.stopIfIdle(for: limit, isBusy: !state.calls.isEmpty, now: now)
            {
                ending = state.ending
                state.link = nil
            }
            return (late, state.link?.peer, ending, state.isRetiring && state.calls.isEmpty)
        }
        for id in late { peer?.withdraw(id, RawJSON(["reason": "it took too long"])) }
        ending?.fulfil(.success(()))
        if isDone { stop() }
    }

    /// Whether somebody waits for what it may say by itself.
    var isNeeded: Bool { gateway.isSubscribed(to: self) }

    /// Runs it until it is stopped or the surrounding task is cancelled; leaves nothing behind.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.lives() }
            group.addTask { try? await self.stopping.value }
            await group.next()
            group.cancelAll()
        }
        let closing = Failure(.cancelled, "the gateway is closing")
        state.withLock { state in
            state.link = nil
            return state.life.close()
        }.fulfil(.failure(closing))
        settled.fulfil(.failure(closing))
        ended.fulfil(.success(()))
    }

    /// How one life of the server ended.
    private enum End {
        case idle
        case died(Failure)
        case cancelled
    }

    private func lives() async {
        var backoff = Backoff()
        if deployment.launch.settings.isEager { wake() }
        while !Task.isCancelled {
            // A wake that came while it was being started is kept, and means nothing by then.
            while state.withLock({ $0.life.phase == .idle }), !Task.isCancelled {
                for await _ in wakes.stream { break }
            }
            if Task.isCancelled { return }
            let start = ContinuousClock.now
            guard gateway.makeRoom(for: self) else {
                let session = state.withLock { $0.life.ended(.idle) }
                session.fulfil(.failure(Self.full))
                settled.fulfil(.failure(Self.full))
                continue
            }
            switch await live() {
            case .cancelled: return
            case .idle: gateway.tell(.idle(server: server))
            case .died(let failure):
                let isFinal = Self.isFinal(failure)
                let session = state.withLock { state -> Promise<Link>? in
                    state.link = nil
                    state.report.lastError = failure.description
                    // Who came after a session was over waits for the next life, not for this one.
                    return isFinal || !state.wasReady ? state.life.ended(isFinal ? .failed : .starting) : nil
                }
                gateway.tell(.failed(server: server, reason: failure.description))
                session?.fulfil(.failure(failure))
                settled.fulfil(.failure(failure))
                let pause = backoff.pause(afterLiving: ContinuousClock.now - start)
                if !isFinal { gateway.tell(.restarting(server: server, after: pause)) }
                try? await Task.sleep(for: pause)
                // An image may have been built by then, a grant given: whoever asks next has it tried again.
                if isFinal { state.withLock { $0.life.forgive() } }
            }
        }
    }

    static var full: Failure {
        Failure(.resourceExhausted, "as many servers run as may, and all are in use", advice: "Try again later.")
    }

    /// Whether it runs, or is about to.
    var isRunning: Bool { state.withLock { $0.life.phase == .ready || $0.life.phase == .starting } }

    /// Stops it for now, if nobody uses it.
    func rest() -> Bool {
        let isNeeded = isNeeded
        let ending = state.withLock { state -> Promise<Void>? in
            let isStopped =
                !isNeeded && state.life.stopIfIdle(for: .zero, isBusy: !state.calls.isEmpty, now: .now)
            guard isStopped else { return nil }
            state.link = nil
            return state.ending
        }
        ending?.fulfil(.success(()))
        return ending != nil
    }

    /// How long nobody has used it.
    var idleTime: Duration { state.withLock { $0.calls.isEmpty ? $0.life.idle(now: .now) : .zero } }

    /// What trying again cannot mend.
    private static func isFinal(_ failure: Failure) -> Bool {
        [.invalidArgument, .notFound, .unsupported, .forbidden, .unauthorized].contains(failure.code)
    }

    /// One life, from the container's creation to its removal.
    private func live() async -> End {
        let start = ContinuousClock.now
        let ending = Promise<Void>()
        state.withLock { state in
            state.ending = ending
            state.complaints = []
            state.wasReady = false
        }
        do {
            try await connector.connect(onProgress: { self.note($0, since: start) }) { transport in
                try await self.serve(over: transport, ending, since: start)
            }
            return Task.isCancelled ? .cancelled : .idle
        } catch {
            return Task.isCancelled ? .cancelled : .died(explained(error))
        }
    }

    /// Finds out each time which protocol the server speaks.
    private var connector: EraConnector {
        EraConnector(
            deployment.connector, verdicts: gateway.verdicts,
            key: { await self.gateway.name(of: self.deployment) },
            onVerdict: { verdict in self.state.withLock { $0.report.settle(verdict) } })
    }

    private func note(_ step: ConnectionStep, since start: ContinuousClock.Instant) {
        switch step {
        case .reached(let place, let limits):
            state.withLock { $0.report.place = place }
            gateway.tell(
                .started(server: server, container: place, limits: limits, took: ContinuousClock.now - start))
        case .log(let line):
            state.withLock { state in
                state.complaints.append(String(line.prefix(500)))
                if state.complaints.count > 5 { state.complaints.removeFirst() }
            }
            gateway.tell(.log(server: server, line: line))
        case .removed(let place):
            state.withLock { $0.report.place = nil }
            gateway.tell(.removed(server: server, container: place))
        }
    }

    /// An error as it is told to clients: with what the server said last, where its session broke. Clients who share a
    /// server must not read each other's traces there.
    func explained(_ error: any Error) -> Failure {
        let failure = Failure.wrapping(error, "the MCP server \(server)")
        let complaints = state.withLock { $0.complaints }
        guard owner != nil, failure.code == .unavailable || failure.code == .timedOut, !complaints.isEmpty,
            !failure.message.contains("its last words")
        else { return failure }
        return Failure(
            failure.code, "\(failure.message); its last words: \(complaints.joined(separator: " | "))",
            cause: failure.cause)
    }
}

/// What is told of a running server.
struct UpstreamReport: Sendable {
    var place: String?
    private(set) var era: Era?
    private(set) var version: String?
    var calls = 0
    var failed = 0
    var lastError: String?

    mutating func settle(_ verdict: EraProbe.Verdict) {
        era = verdict.era
        if case .modern(let revision) = verdict { version = revision.rawValue }
    }

    /// Notes the revision of the handshake; a modern server's is the gateway's own.
    mutating func agreed(on agreed: ProtocolVersion) {
        if era != .modern { (era, version) = (.handshake, agreed.rawValue) }
    }
}
