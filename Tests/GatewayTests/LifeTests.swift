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
    private typealias State = UpstreamState<Int>
    private let start = ContinuousClock.now

    private func ready() -> State {
        var state = State(now: start)
        let isNew = state.wake()
        #expect(isNew)
        state.becameReady(now: start).fulfil(.success(1))
        return state
    }

    @Test func isStoppedOnlyWhenNobodyUsesIt() {
        var state = ready()
        let limit = Duration.seconds(10)
        let early = state.stopIfIdle(for: limit, isBusy: false, now: start + .seconds(4))
        let wanted = state.want(now: start + .seconds(5))
        let waitedFor = state.stopIfIdle(for: limit, isBusy: false, now: start + .seconds(50))
        state.done(now: start + .seconds(50))
        let busy = state.stopIfIdle(for: limit, isBusy: true, now: start + .seconds(80))
        let idle = state.stopIfIdle(for: limit, isBusy: false, now: start + .seconds(60))
        #expect([early, wanted.wakes, waitedFor, busy, idle] == [false, false, false, false, true])
        #expect(state.phase == .idle)
    }

    @Test func theFirstToWantAnIdleServerWakesIt() {
        var state = State(now: start)
        let first = state.want(now: start)
        let second = state.want(now: start)
        #expect(first.wakes)
        #expect(!second.wakes)
        #expect(first.session === second.session)
    }

    @Test func whoeverComesAfterADeathWaitsForTheNextLife() {
        var state = State(now: start)
        let before = state.want(now: start).session
        let over = state.ended(.starting)
        #expect(before === over)
        let next = state.want(now: start).session
        #expect(next !== over)
    }

    @Test func aFailureThatIsFinalIsToldToAll() {
        var state = State(now: start)
        let over = state.ended(.failed)
        let next = state.want(now: start)
        #expect(next.session === over)
        #expect(!next.wakes)
    }

    @Test func whatHasFailedIsTriedAgainByWhoeverComesLater() {
        var state = State(now: start)
        let over = state.ended(.failed)
        state.forgive()
        let next = state.want(now: start)
        #expect(next.wakes && next.session !== over)
        _ = state.close()
        state.forgive()
        #expect(state.phase == .failed)
    }
}

@Suite struct CallTableTests {
    private final class Client: Sendable {}
    private let start = ContinuousClock.now

    @Test func progressPutsTheDeadlineOffButNotTheLimit() {
        var calls = CallTable<Client>()
        let number = calls.begin(Client(), nil, patience: .seconds(10), limit: .seconds(25), now: start)
        calls.sent(number, as: RPC.ID(7))
        var late: [[RPC.ID]] = []
        for second in [9, 18, 24, 25, 26] {
            late.append(calls.expire(now: start + .seconds(second)))
            if second < 20 { calls.progressed(number, now: start + .seconds(second)) }
        }
        // Told once, and known by its end.
        #expect(late == [[], [], [], [RPC.ID(7)], []])
        let isLate = calls.end(number)
        #expect(isLate)
        #expect(calls.isEmpty)
    }

    @Test func withoutLimitsItTakesAsLongAsItLikes() {
        var calls = CallTable<Client>()
        let number = calls.begin(Client(), nil, patience: nil, limit: nil, now: start)
        calls.sent(number, as: RPC.ID(1))
        let late = calls.expire(now: start + .seconds(1_000_000))
        #expect(late.isEmpty)
        let isLate = calls.end(number)
        #expect(!isLate)
    }

    @Test func whoseCallsTheyAreIsOnlyKnownWhereTheyAreOnes() {
        var calls = CallTable<Client>()
        let (a, b) = (Client(), Client())
        #expect(calls.soleOwner == nil)
        _ = calls.begin(a, RPC.ID(1), patience: nil, limit: nil, now: start)
        _ = calls.begin(a, RPC.ID(2), patience: nil, limit: nil, now: start)
        #expect(calls.soleOwner === a)
        #expect(calls.latest(of: a)?.request == RPC.ID(2))
        let other = calls.begin(b, RPC.ID(1), patience: nil, limit: nil, now: start)
        #expect(calls.soleOwner == nil)
        _ = calls.end(other)
        #expect(calls.soleOwner === a)
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
