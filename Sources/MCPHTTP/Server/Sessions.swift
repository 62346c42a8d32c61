internal import AsyncAlgorithms
internal import Core
internal import Logging
internal import ServiceLifecycle
internal import Synchronization

/// The sessions that are open, shared by the requests that use them and the service that runs them.
final class Sessions: Sendable {
    private let table: Mutex<SessionTable<HTTPSession>>
    private let draining = Mutex(false)
    /// New sessions on their way to the service.
    fileprivate let opened = AsyncChannel<HTTPSession>()

    init(maximum: Int, idleLimit: Duration) {
        table = Mutex(SessionTable(maximum: maximum, idleLimit: idleLimit))
    }

    /// Keeps a session from being idle. Ends with the object, so that an answer nobody collects ends it too.
    final class Use: Sendable {
        let session: HTTPSession
        private let sessions: Sessions

        fileprivate init(_ session: HTTPSession, _ sessions: Sessions) {
            self.session = session
            self.sessions = sessions
        }

        deinit { sessions.table.withLock { $0.release(session.id, now: .now) } }
    }

    /// Opens a session and has it served.
    func open(_ principal: Principal, _ scope: Scope, everythingOn outlet: Outlet? = nil) async throws -> Use {
        let session = HTTPSession(principal, scope, everythingOn: outlet)
        let evicted = try table.withLock { table throws(Failure) in
            try table.open(session.id, session, owner: principal.name, now: .now)
        }
        evicted?.end()
        let use = Use(session, self)
        await opened.send(session)
        return use
    }

    /// A session, for whom it belongs to.
    func use(_ id: String, by principal: Principal) -> Use? {
        let use = table.withLock { $0.use(id, owner: principal.name) }.map { Use($0, self) }
        // What somebody may do can change; a session is of what it was when it began.
        guard use?.session.principal == principal else { return nil }
        return use
    }

    /// Whether the gateway is ending: what is under way goes on, nothing new begins.
    var isDraining: Bool { draining.withLock { $0 } }

    /// Requests that have not been answered yet.
    private var unanswered: Int { table.withLock { $0.all }.reduce(0) { $0 + $1.unanswered } }

    /// Lets nothing new in, and waits for what is under way, but not for long.
    fileprivate func drain(limit: Duration) async {
        draining.withLock { $0 = true }
        let end = ContinuousClock.now + limit
        while unanswered > 0, ContinuousClock.now < end, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    /// The client has ended a session.
    func end(_ session: HTTPSession) { table.withLock { $0.end(session.id) }?.end() }

    fileprivate func finish(_ session: HTTPSession, _ reason: Failure) {
        _ = table.withLock { $0.end(session.id) }
        session.finish(reason)
        table.withLock { $0.remove(session.id) }
    }

    fileprivate func tick() {
        let (idle, all) = table.withLock { ($0.expire(now: .now), $0.all) }
        for session in idle { session.end() }
        for session in all { session.tick() }
    }

    fileprivate func close() {
        opened.finish()
        let reason = Failure(.unavailable, "the gateway is shutting down")
        for session in table.withLock({ $0.close() }) { session.finish(reason) }
    }
}

/// Runs every session's server, each in a task of its own, until the server shuts down.
struct SessionService: Service {
    let sessions: Sessions
    let limits: StreamableServer.Limits
    let logger: Logger
    let serve: @Sendable (any ServedSession) async throws -> Void

    func run() async throws {
        await withDiscardingTaskGroup { group in
            group.addTask {
                while true {
                    do { try await Task.sleep(for: limits.keepAlive) } catch { return }
                    sessions.tick()
                }
            }
            for await session in sessions.opened.cancelOnGracefulShutdown() {
                group.addTask(executorPreference: session.executor) { await run(session) }
            }
            await sessions.drain(limit: limits.drain)
            sessions.close()
            group.cancelAll()
        }
    }

    private func run(_ session: HTTPSession) async {
        do {
            try await serve(session)
            sessions.finish(session, Failure(.unavailable, "the session has ended"))
        } catch {
            if !(error is CancellationError) { logger.notice("a session ended: \(Failure.text(of: error))") }
            sessions.finish(session, Failure.wrapping(error, "the session has ended"))
        }
    }
}
