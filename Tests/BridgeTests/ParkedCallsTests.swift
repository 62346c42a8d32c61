import Bridge
import MCP
import Testing

@Suite struct ParkedCallsTests {
    private var limits: ParkedCalls<String>.Limits {
        var limits = ParkedCalls<String>.Limits()
        (limits.lifetime, limits.perPrincipal, limits.total, limits.rounds) = (100, 2, 3, 2)
        return limits
    }

    @Test func aTicketWorksOnceForItsOwner() throws {
        var parked = ParkedCalls<String>(limits: limits)
        try parked.park("call", ticket: 7, principal: "a", round: 1, now: 0)
        #expect(parked.claim(7, principal: "b", now: 1) == nil)
        #expect(parked.claim(8, principal: "a", now: 1) == nil)
        #expect(parked.claim(7, principal: "a", now: 99) == "call")
        #expect(parked.claim(7, principal: "a", now: 99) == nil)
        #expect(parked.count == 0)
    }

    @Test func whatIsNotFetchedExpires() throws {
        var parked = ParkedCalls<String>(limits: limits)
        try parked.park("old", ticket: 1, principal: "a", round: 1, now: 0)
        try parked.park("new", ticket: 2, principal: "a", round: 1, now: 50)
        #expect(parked.claim(1, principal: "a", now: 100) == nil)
        #expect(parked.expire(now: 99) == [])
        #expect(parked.expire(now: 100) == ["old"])
        #expect(parked.expire(now: 100) == [])
        #expect(parked.claim(2, principal: "a", now: 149) == "new")
    }

    @Test func thereAreLimits() throws {
        var parked = ParkedCalls<String>(limits: limits)
        try parked.park("1", ticket: 1, principal: "a", round: 2, now: 0)
        #expect(throws: RPC.Error.self) { try parked.park("x", ticket: 9, principal: "a", round: 3, now: 0) }
        try parked.park("2", ticket: 2, principal: "a", round: 1, now: 0)
        #expect(throws: RPC.Error.self) { try parked.park("x", ticket: 9, principal: "a", round: 1, now: 0) }
        try parked.park("3", ticket: 3, principal: "b", round: 1, now: 0)
        #expect(throws: RPC.Error.self) { try parked.park("x", ticket: 9, principal: "b", round: 1, now: 0) }
        // Every way out makes room again.
        parked.removeAll { $0 == "1" }
        try parked.park("4", ticket: 4, principal: "a", round: 1, now: 0)
        _ = parked.claim(4, principal: "a", now: 1)
        try parked.park("5", ticket: 5, principal: "a", round: 1, now: 0)
        #expect(parked.expire(now: 1000).count == 3)
        try parked.park("6", ticket: 6, principal: "a", round: 1, now: 0)
    }
}
