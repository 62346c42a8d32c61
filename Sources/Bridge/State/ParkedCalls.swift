package import MCP

/// Calls that wait until their client has found out what the server wants to know.
///
/// A value without a clock: times are milliseconds of a clock of the caller's.
package struct ParkedCalls<Call: Sendable>: Sendable {
    package struct Limits: Sendable {
        /// How long a client may take to come back, in milliseconds.
        package var lifetime: Int64 = 10 * 60 * 1000
        package var perPrincipal = 32
        package var total = 256
        /// How often one call may come back.
        package var rounds = 16

        package init() {}
    }

    private struct Entry: Sendable {
        let principal: String
        let expiry: Int64
        let call: Call
    }

    private let limits: Limits
    private var entries: [UInt64: Entry] = [:]
    private var counts: [String: Int] = [:]

    package init(limits: Limits = Limits()) { self.limits = limits }

    package var count: Int { entries.count }

    package func expiry(now: Int64) -> Int64 { now + limits.lifetime }

    /// Takes a call in.
    ///
    /// - Parameters:
    ///   - ticket: unguessable, and never used before.
    ///   - round: how often this call has been parked, this time counted.
    /// - Throws: a JSON-RPC error that says which limit is reached.
    package mutating func park(
        _ call: Call, ticket: UInt64, principal: String, round: Int, now: Int64
    ) throws(RPC.Error) {
        guard round <= limits.rounds else {
            throw .internalError("the server asked for input more than \(limits.rounds) times in one call")
        }
        guard counts[principal, default: 0] < limits.perPrincipal, entries.count < limits.total else {
            throw .internalError("too many calls wait for input already")
        }
        entries[ticket] = Entry(principal: principal, expiry: expiry(now: now), call: call)
        counts[principal, default: 0] += 1
    }

    /// Hands a call to whoever came back for it; a ticket works once.
    ///
    /// - Returns: nil for a ticket that has been used, has expired, or is somebody else's.
    package mutating func claim(_ ticket: UInt64, principal: String, now: Int64) -> Call? {
        guard let entry = entries[ticket], entry.principal == principal, now < entry.expiry else { return nil }
        return remove(ticket)
    }

    /// Calls whose clients have not come back in time.
    package mutating func expire(now: Int64, where isMeant: (Call) -> Bool = { _ in true }) -> [Call] {
        entries.filter { $0.value.expiry <= now && isMeant($0.value.call) }.keys.sorted().compactMap { remove($0) }
    }

    /// Drops those calls that are of no use any more, as when their server has ended.
    package mutating func removeAll(where isObsolete: (Call) -> Bool) {
        for ticket in entries.filter({ isObsolete($0.value.call) }).keys { _ = remove(ticket) }
    }

    private mutating func remove(_ ticket: UInt64) -> Call? {
        guard let entry = entries.removeValue(forKey: ticket) else { return nil }
        counts[entry.principal, default: 1] -= 1
        if counts[entry.principal] == 0 { counts[entry.principal] = nil }
        return entry.call
    }
}
