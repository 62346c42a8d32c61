internal import Core

/// What is known of one server: whether it runs, who waits for it, when it was used last.
///
/// `Session` is whatever those who wait get when it is there.
struct UpstreamState<Session: Sendable>: Sendable {
    enum Phase: String, Sendable, Equatable {
        /// Nobody uses it; wanted, it is started.
        case idle
        /// Being started, or waiting to be started again.
        case starting
        case ready
        /// It cannot be started, and trying again at once would not help.
        case failed
    }

    private(set) var phase = Phase.idle
    /// The session, for whoever waits for the present start.
    private(set) var session = Promise<Session>()
    private var waiting = 0
    private var lastUse: ContinuousClock.Instant
    /// Whether it is over for good.
    private(set) var isClosed = false

    init(now: ContinuousClock.Instant) { lastUse = now }

    /// Somebody wants it started.
    ///
    /// - Returns: whether it has to be woken for that.
    mutating func wake() -> Bool {
        guard phase == .idle else { return false }
        phase = .starting
        return true
    }

    /// - Returns: the promise of those who wait.
    mutating func becameReady(now: ContinuousClock.Instant) -> Promise<Session> {
        phase = .ready
        lastUse = now
        return session
    }

    /// The session that was ready is over; whoever asks from now on waits for the next one.
    mutating func lost() {
        guard phase == .ready else { return }
        phase = .starting
        session = Promise()
    }

    /// A start has failed, or nothing is started any more.
    ///
    /// - Returns: the promise of those who have waited for it.
    mutating func ended(_ phase: Phase) -> Promise<Session> {
        defer { if phase != .failed { session = Promise() } }
        self.phase = phase
        return session
    }

    /// What could not be started is tried again when somebody wants it.
    mutating func forgive() {
        guard phase == .failed, !isClosed else { return }
        phase = .idle
        session = Promise()
    }

    /// Nothing more is started.
    ///
    /// - Returns: the promise of whoever waits.
    mutating func close() -> Promise<Session> {
        isClosed = true
        phase = .failed
        return session
    }

    /// Somebody wants the session.
    ///
    /// - Returns: what to wait for, and whether the server has to be woken for it.
    mutating func want(now: ContinuousClock.Instant) -> (session: Promise<Session>, wakes: Bool) {
        waiting += 1
        lastUse = now
        return (session, wake())
    }

    mutating func done(now: ContinuousClock.Instant) {
        waiting -= 1
        lastUse = now
    }

    mutating func used(now: ContinuousClock.Instant) { lastUse = now }

    /// Whether nobody has used the server for `limit`; if so it counts as stopped from here on.
    mutating func stopIfIdle(for limit: Duration, isBusy: Bool, now: ContinuousClock.Instant) -> Bool {
        guard phase == .ready, waiting == 0, !isBusy, now - lastUse >= limit else { return false }
        phase = .idle
        session = Promise()
        return true
    }

    /// How long nobody has used it.
    func idle(now: ContinuousClock.Instant) -> Duration { waiting > 0 ? .zero : now - lastUse }
}
