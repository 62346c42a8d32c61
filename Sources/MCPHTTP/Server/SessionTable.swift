internal import Core

/// The sessions of a server by their ids: how many there may be, and which nobody has used for long.
struct SessionTable<Session: Sendable>: Sendable {
    typealias Instant = ContinuousClock.Instant

    private struct Entry: Sendable {
        let session: Session
        /// Whose it is.
        let owner: String
        /// Requests and streams at work.
        var uses = 1
        var idleSince: Instant
        /// Not found any more, but what it started has not been put away yet.
        var isEnding = false
        /// Ended to make room.
        var isLeaving = false
    }

    /// How long somebody else's session must have been idle to be ended for one's own.
    static var grace: Duration { .seconds(60) }

    private let maximum: Int
    private let idleLimit: Duration
    private var entries: [String: Entry] = [:]
    private var leaving = 0
    private var isClosed = false

    init(maximum: Int, idleLimit: Duration) {
        self.maximum = maximum
        self.idleLimit = idleLimit
    }

    /// Adds a session, in use by who opened it. Where there are as many as there may be, one that is idle has to go:
    /// the owner's own that was used the longest ago, else anybody's that nobody has used for a while. Its client opens a
    /// new one when it comes back; most do not.
    ///
    /// - Returns: the session that had to go; it counts until it has been put away, but is in nobody's way.
    /// - Throws: `.resourceExhausted` where all are in use; `.unavailable` when the server is ending.
    mutating func open(
        _ id: String, _ session: Session, owner: String = "", now: Instant
    ) throws(Failure) -> Session? {
        guard !isClosed else { throw Failure(.unavailable, "the gateway is shutting down") }
        var evicted: Session?
        if entries.count - leaving >= maximum {
            let idle = entries.filter { $1.uses == 0 && !$1.isEnding }
            let oldest =
                idle.filter { $1.owner == owner }.min { $0.value.idleSince < $1.value.idleSince }
                ?? idle.filter { now - $1.idleSince >= Self.grace }.min { $0.value.idleSince < $1.value.idleSince }
            // Those that have been sent away but are not gone yet bound the sum.
            guard let oldest, leaving < maximum else {
                throw Failure(
                    .resourceExhausted, "\(maximum) sessions are open already", advice: "Close one, or try again later."
                )
            }
            evicted = end(oldest.key)
            entries[oldest.key]?.isLeaving = true
            leaving += 1
        }
        entries[id] = Entry(session: session, owner: owner, idleSince: now)
        return evicted
    }

    /// - Returns: nil for a session that is not there, or somebody else's: nobody learns which.
    mutating func use(_ id: String, owner: String = "") -> Session? {
        guard var entry = entries[id], !entry.isEnding, entry.owner == owner else { return nil }
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

    mutating func remove(_ id: String) {
        if entries.removeValue(forKey: id)?.isLeaving == true { leaving -= 1 }
    }

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
