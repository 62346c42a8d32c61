internal import Core
internal import MCP

/// What is known of one server: whether it runs, who waits for it, when it was used last.
struct UpstreamState: Sendable {
    enum Phase: Sendable, Equatable {
        /// Being started, or waiting to be started again.
        case starting
        case ready
        /// Stopped because nobody used it; wanted again, it is started.
        case idle
        /// It cannot be started, and trying again would not help.
        case failed
    }

    private(set) var phase = Phase.starting
    /// The session, for whoever waits for the present start.
    private(set) var session = Promise<Client>()
    /// What the server listed last; kept while it is stopped or started again.
    private(set) var tools: [Tool]?
    private var calls = 0
    private var lastUse: ContinuousClock.Instant

    init(now: ContinuousClock.Instant) { lastUse = now }

    mutating func becameReady(_ tools: [Tool], now: ContinuousClock.Instant) {
        phase = .ready
        self.tools = tools
        lastUse = now
    }

    mutating func listed(_ tools: [Tool]) { self.tools = tools }

    /// The session is over; whoever asks from now on waits for the next one.
    ///
    /// - Returns: the promise of the one that is over.
    mutating func ended(_ phase: Phase) -> Promise<Client> {
        defer { if phase != .failed { session = Promise() } }
        self.phase = phase
        return session
    }

    /// Somebody wants the session.
    ///
    /// - Returns: what to wait for, and whether the server has to be woken for it.
    mutating func want(now: ContinuousClock.Instant) -> (session: Promise<Client>, wakes: Bool) {
        let wakes = phase == .idle
        if wakes { phase = .starting }
        calls += 1
        lastUse = now
        return (session, wakes)
    }

    mutating func done(now: ContinuousClock.Instant) {
        calls -= 1
        lastUse = now
    }

    /// Looks whether nobody has used the server for `limit`; if so it counts as stopped from here on.
    ///
    /// - Returns: how long until it is worth looking again; nil when it is to be stopped.
    mutating func stopIfIdle(for limit: Duration, now: ContinuousClock.Instant) -> Duration? {
        if calls > 0 { return limit }
        let rest = limit - (now - lastUse)
        if rest > .zero { return rest }
        _ = ended(.idle)
        return nil
    }
}
