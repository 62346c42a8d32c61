internal import AsyncAlgorithms
internal import Bridge
internal import Core
internal import Logging
internal import MCP
internal import ServiceLifecycle
internal import Synchronization

/// The sessions that stand for modern clients, shared by the requests that use them and the service that runs them.
final class ModernSessions: Sendable {
    /// What makes two requests those of the same client.
    private struct Key: Hashable {
        let principal: String
        let scope: Scope
        let capabilities: RawJSON
        /// Programs of one user need not share their servers.
        let client: RawJSON?
    }

    private struct State {
        var table: SessionTable<ModernHTTPSession>
        var ids: [Key: String] = [:]
        var keys: [String: Key] = [:]

        mutating func forget(_ id: String) {
            if let key = keys.removeValue(forKey: id), ids[key] == id { ids[key] = nil }
        }
    }

    private let state: Mutex<State>
    private let parking = Parking()
    private let logger: Logger
    /// New sessions on their way to the service.
    fileprivate let opened = AsyncChannel<ModernHTTPSession>()

    init(maximum: Int, idleLimit: Duration, logger: Logger) {
        state = Mutex(State(table: SessionTable(maximum: maximum, idleLimit: idleLimit)))
        self.logger = logger
    }

    /// Keeps a session from being idle. Ends with the object, so that an answer nobody collects ends it too.
    final class Use: Sendable {
        let session: ModernHTTPSession
        private let sessions: ModernSessions

        fileprivate init(_ session: ModernHTTPSession, _ sessions: ModernSessions) {
            self.session = session
            self.sessions = sessions
        }

        deinit { sessions.state.withLock { $0.table.release(session.id, now: .now) } }
    }

    /// The session for a request; opened and served where there is none.
    func use(_ principal: Principal, _ scope: Scope, _ envelope: Envelope) async throws -> Use {
        let key = Key(
            principal: principal.name, scope: scope, capabilities: envelope.capabilities, client: envelope.client)
        let (session, evicted, isNew) = try state.withLock {
            state throws(Failure) -> (ModernHTTPSession, ModernHTTPSession?, Bool) in
            if let id = state.ids[key], let session = state.table.use(id, owner: principal.name) {
                return (session, nil, false)
            }
            let logger = logger
            let session = ModernHTTPSession(principal, scope, parking: parking) { text in
                logger.notice("\(principal.name): \(text)")
            }
            let evicted = try state.table.open(session.id, session, owner: principal.name, now: .now)
            (state.ids[key], state.keys[session.id]) = (session.id, key)
            if let evicted { state.forget(evicted.id) }
            return (session, evicted, true)
        }
        evicted?.end()
        let use = Use(session, self)
        if isNew { await opened.send(session) }
        return use
    }

    private var all: [ModernHTTPSession] { state.withLock { $0.table.all } }

    /// Waits for what is under way, but not for long.
    fileprivate func drain(limit: Duration) async {
        let end = ContinuousClock.now + limit
        while all.contains(where: { $0.unanswered > 0 }), ContinuousClock.now < end, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    fileprivate func finish(_ session: ModernHTTPSession, _ reason: Failure) async {
        state.withLock { state in
            _ = state.table.end(session.id)
            state.forget(session.id)
        }
        await session.finish(reason)
        state.withLock { $0.table.remove(session.id) }
    }

    fileprivate func tick() async {
        let idle = state.withLock { state in
            let idle = state.table.expire(now: .now)
            for session in idle { state.forget(session.id) }
            return idle
        }
        for session in idle { session.end() }
        for session in all { await session.tick() }
    }

    fileprivate func close() async {
        opened.finish()
        let reason = Failure(.unavailable, "the gateway is shutting down")
        for session in state.withLock({ $0.table.close() }) { await session.finish(reason) }
    }
}

/// Runs the sessions of modern clients, each in a task of its own, until the server shuts down.
struct ModernSessionService: Service {
    let sessions: ModernSessions
    let limits: StreamableServer.Limits
    let logger: Logger
    let serve: @Sendable (any ServedSession) async throws -> Void

    func run() async throws {
        await withDiscardingTaskGroup { group in
            group.addTask {
                while true {
                    do { try await Task.sleep(for: limits.keepAlive) } catch { return }
                    await sessions.tick()
                }
            }
            for await session in sessions.opened.cancelOnGracefulShutdown() {
                group.addTask(executorPreference: session.executor) { await run(session) }
            }
            await sessions.drain(limit: limits.drain)
            await sessions.close()
            group.cancelAll()
        }
    }

    private func run(_ session: ModernHTTPSession) async {
        do {
            try await serve(session)
            await sessions.finish(session, Failure(.unavailable, "the session has ended"))
        } catch {
            if !(error is CancellationError) { logger.notice("a session ended: \(Failure.text(of: error))") }
            await sessions.finish(session, Failure.wrapping(error, "the session has ended"))
        }
    }
}
