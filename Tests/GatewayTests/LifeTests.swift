import Core
import MCP
import Testing

@testable import Gateway

@Suite struct BackoffTests {
    @Test func pausesGrowAndStartAnewAfterAGoodLife() {
        var backoff = Backoff()
        let pauses = (0..<9).map { _ in backoff.pause(afterLiving: .seconds(1)) }
        #expect(pauses.first == .milliseconds(250))
        #expect(zip(pauses, pauses.dropFirst()).allSatisfy { $0 <= $1 })
        #expect(pauses.last == .seconds(30))
        #expect(backoff.pause(afterLiving: .seconds(61)) == .milliseconds(250))
    }
}

@Suite struct UpstreamStateTests {
    private let start = ContinuousClock.now
    private let tool = Tool(name: "x", description: "", inputSchema: [:])

    @Test func isStoppedOnlyWhenNobodyUsesIt() {
        var state = UpstreamState(now: start)
        state.becameReady([tool], now: start)
        #expect(state.stopIfIdle(for: .seconds(10), now: start + .seconds(4)) == .seconds(6))
        #expect(state.want(now: start + .seconds(5)).wakes == false)
        #expect(state.stopIfIdle(for: .seconds(10), now: start + .seconds(50)) == .seconds(10))
        state.done(now: start + .seconds(50))
        #expect(state.stopIfIdle(for: .seconds(10), now: start + .seconds(60)) == nil)
        #expect(state.phase == .idle)
        #expect(state.tools?.count == 1)
    }

    @Test func theFirstToWantAnIdleServerWakesIt() {
        var state = UpstreamState(now: start)
        state.becameReady([tool], now: start)
        #expect(state.stopIfIdle(for: .zero, now: start) == nil)
        let first = state.want(now: start)
        let second = state.want(now: start)
        #expect(first.wakes)
        #expect(!second.wakes)
        #expect(first.session === second.session)
    }

    @Test func whoeverComesAfterADeathWaitsForTheNextLife() {
        var state = UpstreamState(now: start)
        let before = state.want(now: start).session
        let over = state.ended(.starting)
        #expect(before === over)
        #expect(state.want(now: start).session !== over)
    }

    @Test func aFailureThatIsFinalIsToldToAll() {
        var state = UpstreamState(now: start)
        let over = state.ended(.failed)
        #expect(state.want(now: start).session === over)
    }
}

@Suite struct OwnerTests {
    @Test func ourOwnContainersAreNoOrphans() {
        #expect(!Owner.isOrphan(Owner.make()))
    }

    @Test(arguments: ["", "x", "unknown/abc", "elsewhere/1/5/abc", "a/b/c/d/e"])
    func whatCannotBeJudgedIsLeftAlone(_ owner: String) { #expect(!Owner.isOrphan(owner)) }

    @Test func aProcessThatIsGoneHasEnded() throws {
        let current = try #require(ProcessIdentity.current)
        #expect(!current.hasEnded)
        // The same number, but another beginning: a later process.
        let earlier = try #require(ProcessIdentity("\(current.place)/\(current.number)/1"))
        #expect(earlier.hasEnded)
        #expect(Owner.isOrphan("\(earlier)/abc"))
        #expect(ProcessIdentity(current.description) == current)
    }
}
