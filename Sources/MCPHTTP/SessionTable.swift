internal import Core

/// The sessions of a server by their ids: how many there may be, and which nobody has used for long.
struct SessionTable<Session: Sendable>: Sendable {
    typealias Instant = ContinuousClock.Instant

    private struct Entry: Sendable {
        let session: Session
        /// Requests and streams at work.
        var uses = 1
        var idleSince: Instant
        /// Not found any more, but what it started has not been put away yet.
        var isEnding = false
    }

    private let maximum: Int
    private let idleLimit: Duration
    private var entries: [String: Entry] = [:]
    private var isClosed = false

    init(maximum: Int, idleLimit: Duration) {
        self.maximum = maximum
        self.idleLimit = idleLimit
    }

    /// Adds a session, in use by who opened it.
    ///
    /// - Throws: `.resourceExhausted` where there are as many as there may be; `.unavailable` when the server is ending.
    mutating func open(_ id: String, _ session: Session, now: Instant) throws(Failure) {
        guard !isClosed else { throw Failure(.unavailable, "the gateway is shutting down") }
        guard entries.count < maximum else {
            throw Failure(
                .resourceExhausted, "\(maximum) sessions are open already", advice: "Close one, or try again later.")
        }
        entries[id] = Entry(session: session, idleSince: now)
    }

    mutating func use(_ id: String) -> Session? {
        guard var entry = entries[id], !entry.isEnding else { return nil }
        entry.uses += 1
        entries[id] = entry
        return entry.session
    }

    mutating func release(_ id: String, now: Instant) {
        entries[id]?.uses -= 1
        entries[id]?.idleSince = now
    }

    /// Makes a session unknown; it counts until it has been put away.
    ///
    /// - Returns: nil where that has happened before.
    mutating func end(_ id: String) -> Session? {
        guard var entry = entries[id], !entry.isEnding else { return nil }
        entry.isEnding = true
        entries[id] = entry
        return entry.session
    }

    mutating func remove(_ id: String) { entries[id] = nil }

    /// Ends the sessions that nobody has used for long.
    mutating func expire(now: Instant) -> [Session] {
        let idle = entries.filter { $1.uses == 0 && !$1.isEnding && now - $1.idleSince >= idleLimit }
        return idle.keys.compactMap { end($0) }
    }

    /// Lets no new session in; returns all there are.
    mutating func close() -> [Session] {
        isClosed = true
        for id in entries.keys { entries[id]?.isEnding = true }
        return entries.values.map(\.session)
    }

    var all: [Session] { entries.values.map(\.session) }
}
