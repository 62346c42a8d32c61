import Core
import Testing

@testable import MCPHTTP

@Suite struct SessionTableTests {
    private let start = ContinuousClock.now

    private func table(maximum: Int = 2) -> SessionTable<String> {
        SessionTable(maximum: maximum, idleLimit: .seconds(60))
    }

    @Test func aSessionIsFoundUntilItEnds() throws {
        var table = table()
        _ = try table.open("a", "A", now: start)
        #expect(table.use("a") == "A")
        #expect(table.use("b") == nil)
        #expect(table.end("a") == "A")
        #expect(table.end("a") == nil)
        #expect(table.use("a") == nil)
    }

    @Test func anEndingSessionCountsUntilItIsPutAway() throws {
        var table = table(maximum: 1)
        _ = try table.open("a", "A", now: start)
        _ = table.end("a")
        let failure = #expect(throws: Failure.self) { try table.open("b", "B", now: start) }
        #expect(failure?.code == .resourceExhausted)
        table.remove("a")
        _ = try table.open("b", "B", now: start)
    }

    @Test func onlyUnusedSessionsExpire() throws {
        var table = table()
        _ = try table.open("a", "A", now: start)
        #expect(table.expire(now: start + .seconds(1000)) == [], "it is in use by who opened it")
        _ = table.use("a")
        table.release("a", now: start + .seconds(10))
        #expect(table.expire(now: start + .seconds(1000)) == [], "one use is left")
        table.release("a", now: start + .seconds(100))
        #expect(table.expire(now: start + .seconds(159)) == [])
        #expect(table.expire(now: start + .seconds(160)) == ["A"])
        #expect(table.expire(now: start + .seconds(160)) == [])
        #expect(table.use("a") == nil)
    }

    @Test func aClosedTableLetsNobodyIn() throws {
        var table = table()
        _ = try table.open("a", "A", now: start)
        #expect(table.close() == ["A"])
        #expect(table.use("a") == nil)
        let failure = #expect(throws: Failure.self) { try table.open("b", "B", now: start) }
        #expect(failure?.code == .unavailable)
    }

    @Test func aSessionIsFoundByItsOwnerOnly() throws {
        var table = table()
        _ = try table.open("a", "A", owner: "alice", now: start)
        #expect(table.use("a", owner: "bob") == nil)
        #expect(table.use("a", owner: "alice") == "A")
    }

    @Test func oneThatIsIdleMakesRoom() throws {
        var table = table(maximum: 2)
        for (id, seconds) in [("a", 5), ("b", 3)] {
            _ = try table.open(id, id.uppercased(), owner: "alice", now: start)
            table.release(id, now: start + .seconds(seconds))
        }
        let other = #expect(throws: Failure.self) {
            try table.open("c", "C", owner: "bob", now: start + .seconds(10))
        }
        #expect(other?.code == .resourceExhausted, "nobody's fresh session goes for somebody else's")
        #expect(try table.open("c", "C", owner: "alice", now: start + .seconds(10)) == "B", "one's own oldest does")
        #expect(table.use("b", owner: "alice") == nil)
        #expect(try table.open("d", "D", owner: "bob", now: start + .seconds(66)) == "A")
        let busy = #expect(throws: Failure.self) { try table.open("e", "E", owner: "bob", now: start + .seconds(999)) }
        #expect(busy?.code == .resourceExhausted, "what is in use stays")
        table.remove("a")
        table.remove("b")
        #expect(table.all.sorted() == ["C", "D"])
    }
}
