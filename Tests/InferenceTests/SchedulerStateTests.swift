import Core
import SystemPackage
import Testing

@testable import Inference

/// - Parameters:
///   - size: MiB it takes whatever its context.
///   - context: its context, of which each 1024 tokens take a MiB.
private func load(
    _ name: String, keep: KeepAlive = .standard, size: Int64? = nil,
    context: EngineConfiguration.Context = .fixed(0)
) -> Load {
    var estimate = MemoryEstimate([])
    estimate.fixed = (size ?? 0) << 20
    // As much again is for prompts that come again.
    estimate.perToken = 512
    return Load(
        backend: "b", modelID: name, modelName: name, files: .init(weights: FilePath("/m/\(name)")),
        configuration: .init(context: context), keepAlive: keep, memory: size == nil ? nil : estimate)
}

extension SchedulerState.Action {
    /// Short enough to compare whole answers.
    fileprivate var text: String {
        switch self {
        case .grant(let ticket, let occupant): "grant \(ticket) \(occupant.load.modelName)#\(occupant.id)"
        case .refuse(let ticket, let failure): "refuse \(ticket) \(failure.code)"
        case .start(let occupant): "start \(occupant.load.modelName)#\(occupant.id)\(Self.context(of: occupant))"
        case .stop(let id): "stop #\(id)"
        case .schedule(let moment): "schedule \(moment.components.seconds)"
        }
    }

    private static func context(of occupant: SchedulerState.Occupant) -> String {
        occupant.context.map { $0 > 0 ? " \($0)" : "" } ?? ""
    }
}

@Suite struct SchedulerStateTests {
    struct Step: Sendable {
        let event: SchedulerState.Event
        let at: Int
        let expected: [String]

        init(_ event: SchedulerState.Event, at: Int, _ expected: [String]) {
            (self.event, self.at, self.expected) = (event, at, expected)
        }
    }

    struct Script: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let slots: Int
        /// MiB for all.
        var room: Int64?
        var available: Int64?
        let steps: [Step]
    }

    static let scripts = [
        Script(
            testDescription: "parallel requests share one start", slots: 2,
            steps: [
                Step(.requested(1, load("a")), at: 0, ["start a#1"]),
                Step(.requested(2, load("a")), at: 0, []),
                Step(.requested(3, load("a")), at: 0, []),
                Step(.started(1), at: 1, ["grant 1 a#1", "grant 2 a#1", "grant 3 a#1"]),
                Step(.requested(4, load("a")), at: 2, ["grant 4 a#1"]),
            ]),
        Script(
            testDescription: "a client that leaves does not stop a load others wait for", slots: 1,
            steps: [
                Step(.requested(1, load("a")), at: 0, ["start a#1"]),
                Step(.requested(2, load("a")), at: 0, []),
                Step(.cancelled(1), at: 0, []),
                Step(.started(1), at: 1, ["grant 2 a#1"]),
            ]),
        Script(
            testDescription: "a load nobody waits for makes room", slots: 1,
            steps: [
                Step(.requested(1, load("a")), at: 0, ["start a#1"]),
                Step(.requested(2, load("b")), at: 0, []),
                Step(.cancelled(1), at: 0, ["stop #1"]),
                Step(.started(1), at: 0, []),
                Step(.ended(1, nil), at: 1, ["start b#2"]),
            ]),
        Script(
            testDescription: "the least recently used idle runner goes, one in use stays", slots: 3,
            steps: [
                Step(.requested(1, load("a")), at: 0, ["start a#1"]), Step(.started(1), at: 0, ["grant 1 a#1"]),
                Step(.requested(2, load("b")), at: 0, ["start b#2"]), Step(.started(2), at: 0, ["grant 2 b#2"]),
                Step(.requested(3, load("c")), at: 0, ["start c#3"]), Step(.started(3), at: 0, ["grant 3 c#3"]),
                Step(.released(3), at: 5, ["schedule 305"]), Step(.released(2), at: 10, []),
                Step(.requested(4, load("d")), at: 20, ["stop #3"]),
                Step(.requested(5, load("e")), at: 20, ["stop #2"]),
                Step(.requested(6, load("f")), at: 20, []),
                Step(.ended(3, nil), at: 21, ["start d#4"]), Step(.ended(2, nil), at: 21, ["start e#5"]),
                Step(.released(1), at: 30, ["stop #1"]),
                Step(.ended(1, nil), at: 31, ["start f#6"]),
            ]),
        Script(
            testDescription: "a failed load is told to all who wait, the next request tries again", slots: 1,
            steps: [
                Step(.requested(1, load("a")), at: 0, ["start a#1"]), Step(.requested(2, load("a")), at: 0, []),
                Step(.requested(3, load("b")), at: 0, []),
                Step(
                    .ended(1, Failure(.internalError, "x")), at: 1,
                    ["refuse 1 internalError", "refuse 2 internalError", "start b#2"]),
                Step(.started(2), at: 2, ["grant 3 b#2"]),
            ]),
        Script(
            testDescription: "a crash frees the slot, late releases are harmless", slots: 1,
            steps: [
                Step(.requested(1, load("a")), at: 0, ["start a#1"]), Step(.started(1), at: 0, ["grant 1 a#1"]),
                Step(.ended(1, Failure(.internalError, "x")), at: 1, []),
                Step(.requested(2, load("a")), at: 2, ["start a#2"]), Step(.started(2), at: 2, ["grant 2 a#2"]),
                Step(.released(1), at: 3, []),
                Step(.unload(.init()), at: 3, []),
                Step(.released(2), at: 4, ["schedule 304"]),
                Step(.released(2), at: 4, []),
            ]),
        Script(
            testDescription: "idle runners end after their time, not before", slots: 2,
            steps: [
                Step(.requested(1, load("a")), at: 0, ["start a#1"]), Step(.started(1), at: 0, ["grant 1 a#1"]),
                Step(.released(1), at: 10, ["schedule 310"]),
                Step(.requested(2, load("a")), at: 200, ["grant 2 a#1"]), Step(.tick, at: 310, []),
                Step(.released(1), at: 320, ["schedule 620"]), Step(.tick, at: 619, ["schedule 620"]),
                Step(.tick, at: 620, ["stop #1"]),
                Step(.requested(3, load("a")), at: 621, []),
                Step(.ended(1, nil), at: 622, ["start a#2"]),
            ]),
        Script(
            testDescription: "unload takes what is named and not in use", slots: 3,
            steps: [
                Step(.requested(1, load("a")), at: 0, ["start a#1"]), Step(.started(1), at: 0, ["grant 1 a#1"]),
                Step(.requested(2, load("b")), at: 0, ["start b#2"]), Step(.started(2), at: 0, ["grant 2 b#2"]),
                Step(.released(2), at: 1, ["schedule 301"]),
                Step(.unload(.init(modelIDs: ["a"])), at: 2, []),
                Step(.unload(.init(modelIDs: ["b"], backend: "other")), at: 2, []),
                Step(.unload(.init(modelIDs: ["b"])), at: 2, ["stop #2"]),
            ]),
        Script(
            testDescription: "after shutdown nothing starts", slots: 1,
            steps: [
                Step(.requested(1, load("a")), at: 0, ["start a#1"]), Step(.requested(2, load("b")), at: 0, []),
                Step(.shutdown, at: 1, ["refuse 2 unavailable"]),
                Step(.requested(3, load("c")), at: 1, ["refuse 3 unavailable"]),
                Step(.ended(1, nil), at: 1, ["refuse 1 unavailable"]),
            ]),
    ]

    static let memoryScripts = [
        Script(
            testDescription: "a load that does not fit makes idle runners go, the least recently used first", slots: 4,
            room: 1000,
            steps: [
                Step(.requested(1, load("a", size: 300)), at: 0, ["start a#1"]),
                Step(.started(1), at: 0, ["grant 1 a#1"]),
                Step(.requested(2, load("b", size: 300)), at: 0, ["start b#2"]),
                Step(.started(2), at: 0, ["grant 2 b#2"]),
                Step(.released(2), at: 1, ["schedule 301"]), Step(.released(1), at: 2, []),
                Step(.requested(3, load("c", size: 500)), at: 3, ["stop #2"]),
                Step(.ended(2, nil), at: 4, ["start c#3"]),
                Step(.started(3), at: 5, ["grant 3 c#3"]), Step(.released(3), at: 6, []),
                // Both have to go for this one.
                Step(.requested(4, load("d", size: 900)), at: 7, ["stop #1", "stop #3"]),
                Step(.ended(1, nil), at: 8, []), Step(.ended(3, nil), at: 9, ["start d#4"]),
            ]),
        Script(
            testDescription: "an automatic context shrinks when nobody is left to go", slots: 4,
            room: 300,
            steps: [
                Step(.requested(1, load("a", size: 200)), at: 0, ["start a#1"]),
                Step(.started(1), at: 0, ["grant 1 a#1"]),
                Step(.requested(2, load("b", size: 94, context: .automatic(upTo: 8192))), at: 1, ["start b#2 4096"]),
                Step(.started(2), at: 2, ["grant 2 b#2"]),
                Step(.requested(3, load("b", size: 94, context: .automatic(upTo: 8192))), at: 3, ["grant 3 b#2"]),
            ]),
        Script(
            testDescription: "idle runners go before a context shrinks", slots: 4, room: 300,
            steps: [
                Step(.requested(1, load("a", size: 200)), at: 0, ["start a#1"]),
                Step(.started(1), at: 0, ["grant 1 a#1"]),
                Step(.released(1), at: 0, ["schedule 300"]),
                Step(.requested(2, load("b", size: 94, context: .automatic(upTo: 8192))), at: 1, ["stop #1"]),
                Step(.ended(1, nil), at: 2, ["start b#2 8192"]),
            ]),
        Script(
            testDescription: "what can never fit is refused at once, whoever waits", slots: 4, room: 100,
            steps: [
                Step(.requested(1, load("a", size: 101)), at: 0, ["refuse 1 resourceExhausted"]),
                Step(.requested(2, load("a", size: 99, context: .fixed(2048))), at: 0, ["refuse 2 resourceExhausted"]),
                Step(
                    .requested(3, load("a", size: 100, context: .automatic(upTo: 1024))), at: 0,
                    ["refuse 3 resourceExhausted"]),
                Step(.requested(4, load("a", size: 100)), at: 0, ["start a#1"]),
            ]),
        Script(
            testDescription: "somebody in use is waited for, and later small ones do not take the place", slots: 4,
            room: 1000,
            steps: [
                Step(.requested(1, load("a", size: 600)), at: 0, ["start a#1"]),
                Step(.started(1), at: 0, ["grant 1 a#1"]),
                Step(.requested(2, load("b", size: 900)), at: 1, []),
                Step(.requested(3, load("c", size: 300)), at: 2, []),
                Step(.requested(4, load("a", size: 600)), at: 3, ["grant 4 a#1"]),
                Step(.released(1), at: 4, []), Step(.released(1), at: 5, ["stop #1"]),
                Step(.ended(1, nil), at: 6, ["start b#2"]),
                Step(.started(2), at: 7, ["grant 2 b#2"]),
                Step(.released(2), at: 8, ["stop #2"]),
                Step(.ended(2, nil), at: 9, ["start c#3"]),
            ]),
        Script(
            testDescription: "somebody who has waited for long is not kept waiting by a stream of others", slots: 1,
            steps: [
                Step(.requested(1, load("a")), at: 0, ["start a#1"]), Step(.started(1), at: 0, ["grant 1 a#1"]),
                Step(.requested(2, load("b")), at: 1, []),
                Step(.requested(3, load("a")), at: 30, ["grant 3 a#1"]),
                Step(.requested(4, load("a")), at: 31, []),
                Step(.released(1), at: 32, []), Step(.released(1), at: 33, ["stop #1"]),
                Step(.ended(1, nil), at: 34, ["start b#2"]), Step(.started(2), at: 35, ["grant 2 b#2"]),
                Step(.released(2), at: 36, ["stop #2"]), Step(.ended(2, nil), at: 37, ["start a#3"]),
            ]),
        Script(
            testDescription: "what is kept does not go for memory nor for a slot; unload takes it", slots: 2,
            room: 1000,
            steps: [
                Step(.requested(1, load("a", keep: .forever, size: 500)), at: 0, ["start a#1"]),
                Step(.started(1), at: 0, ["grant 1 a#1"]), Step(.released(1), at: 1, []),
                Step(.tick, at: 100_000, []),
                Step(.requested(2, load("b", size: 900)), at: 100_001, ["refuse 2 resourceExhausted"]),
                Step(.requested(3, load("c", keep: .forever, size: 100)), at: 100_001, ["start c#2"]),
                Step(.started(2), at: 100_002, ["grant 3 c#2"]),
                Step(.requested(4, load("d", size: 100)), at: 100_003, ["refuse 4 resourceExhausted"]),
                Step(.unload(.init(modelIDs: ["a"])), at: 100_004, ["stop #1"]),
                Step(.requested(5, load("d", size: 100)), at: 100_005, []),
                Step(.ended(1, nil), at: 100_006, ["start d#3"]),
            ]),
        Script(
            testDescription: "the latest request decides how long a runner stays", slots: 2,
            steps: [
                Step(.requested(1, load("a", keep: .after(.zero))), at: 0, ["start a#1"]),
                Step(.requested(2, load("a", keep: .after(.zero))), at: 0, []),
                Step(.started(1), at: 0, ["grant 1 a#1", "grant 2 a#1"]),
                Step(.released(1), at: 1, []), Step(.released(1), at: 1, ["stop #1"]), Step(.ended(1, nil), at: 1, []),
                Step(.requested(3, load("a", keep: .forever)), at: 2, ["start a#2"]),
                Step(.started(2), at: 2, ["grant 3 a#2"]), Step(.released(2), at: 3, []),
                Step(.requested(4, load("a", keep: .after(.seconds(60)))), at: 4, ["grant 4 a#2"]),
                Step(.released(2), at: 5, ["schedule 65"]),
                Step(.requested(5, load("b", keep: .after(.seconds(5)))), at: 6, ["start b#3"]),
                Step(.started(3), at: 6, ["grant 5 b#3"]),
                // Earlier than the tick that was asked for.
                Step(.released(3), at: 7, ["schedule 12"]),
                Step(.tick, at: 12, ["stop #3", "schedule 65"]),
                Step(.tick, at: 65, ["stop #2"]),
            ]),
        Script(
            testDescription: "a load that nobody waits for any more and that is not to stay goes when it is ready",
            slots: 1,
            steps: [
                Step(.requested(1, load("a", keep: .after(.zero))), at: 0, ["start a#1"]),
                Step(.cancelled(1), at: 0, []),
                Step(.started(1), at: 1, ["stop #1"]),
            ]),
        Script(
            testDescription: "an engine that died of memory is started once more, when somebody idle has gone",
            slots: 3,
            steps: [
                Step(.requested(1, load("a")), at: 0, ["start a#1"]), Step(.started(1), at: 0, ["grant 1 a#1"]),
                Step(.requested(2, load("b")), at: 0, ["start b#2"]), Step(.started(2), at: 0, ["grant 2 b#2"]),
                Step(.released(1), at: 1, ["schedule 301"]), Step(.released(2), at: 2, []),
                Step(.requested(3, load("c")), at: 3, ["start c#3"]), Step(.requested(4, load("c")), at: 3, []),
                Step(.ended(3, Failure(.resourceExhausted, "x")), at: 4, ["stop #1"]),
                Step(.ended(1, nil), at: 5, ["start c#4"]),
                Step(
                    .ended(4, Failure(.resourceExhausted, "x")), at: 6,
                    ["refuse 3 resourceExhausted", "refuse 4 resourceExhausted"]),
                // The next request begins afresh.
                Step(.requested(5, load("c")), at: 7, ["start c#5"]),
                Step(.started(5), at: 8, ["grant 5 c#5"]),
            ]),
        Script(
            testDescription: "with nobody to go it is started once more with a smaller context", slots: 2,
            steps: [
                Step(.requested(1, load("a", context: .automatic(upTo: 8192))), at: 0, ["start a#1 8192"]),
                Step(.ended(1, Failure(.resourceExhausted, "x")), at: 1, ["start a#2 4096"]),
                Step(.ended(2, Failure(.resourceExhausted, "x")), at: 2, ["refuse 1 resourceExhausted"]),
                Step(.requested(2, load("a")), at: 3, ["start a#3"]),
                Step(.ended(3, Failure(.resourceExhausted, "x")), at: 4, ["refuse 2 resourceExhausted"]),
                Step(.requested(3, load("a")), at: 3, ["start a#4"]),
                Step(.ended(4, Failure(.internalError, "x")), at: 4, ["refuse 3 internalError"]),
            ]),
        Script(
            testDescription: "what others leave of the machine counts too, and what is still loading of it", slots: 4,
            available: 1000,
            steps: [
                Step(.requested(1, load("a", size: 600)), at: 0, ["start a#1"]),
                Step(.requested(2, load("b", size: 600)), at: 0, []),
                Step(.requested(3, load("c", size: 2000)), at: 0, ["refuse 3 resourceExhausted"]),
                Step(.cancelled(1), at: 1, ["stop #1"]),
                Step(.ended(1, nil), at: 2, ["start b#2"]),
            ]),
    ]

    @Test(arguments: scripts + memoryScripts) func script(_ script: Script) {
        var state = SchedulerState(
            slots: script.slots, budget: script.room.map { Memory(host: $0 << 20) } ?? .unlimited)
        state.available = script.available.map { $0 << 20 }
        for (number, step) in script.steps.enumerated() {
            let actions = state.handle(step.event, at: .seconds(step.at)).map(\.text)
            #expect(actions == step.expected, "step \(number + 1): \(step.event)")
        }
    }

    @Test func aRefusalSaysWhatIsNeededAndWhatThereIs() {
        var state = SchedulerState(slots: 2, budget: Memory(host: 200 << 20))
        func refusal(_ load: Load) -> String {
            guard case .refuse(_, let failure)? = state.handle(.requested(1, load), at: .zero).first else { return "" }
            return failure.description
        }
        #expect(
            refusal(load("big", size: 300, context: .fixed(102_400)))
                == "not enough memory for big: it needs about 400.00MiB, 200.00MiB can be had. Use a context smaller than "
                + "102400 tokens, use a smaller model, or set WHARF_MEMORY_BUDGET if the machine has more.")
        _ = state.handle(.requested(2, load("kept", keep: .forever, size: 100)), at: .zero)
        _ = state.handle(.started(1), at: .zero)
        #expect(
            refusal(load("big", size: 150))
                == "not enough memory for big: it needs about 150.00MiB, 100.00MiB can be had. Unload what is kept loaded "
                + "(kept), use a smaller model, or set WHARF_MEMORY_BUDGET if the machine has more.")
    }

    @Test func whatIsMeasuredCounts() {
        var state = SchedulerState(slots: 3, budget: Memory(host: 300 << 20))
        func start(_ ticket: SchedulerState.Ticket, _ name: String) -> [String] {
            state.handle(.requested(ticket, load(name, size: 100)), at: .zero).map(\.text)
        }
        #expect(start(1, "a") == ["start a#1"])
        _ = state.handle(.started(1), at: .zero)
        #expect(state.handle(.measured(1, 250 << 20), at: .zero).isEmpty)
        #expect(state.slots.first?.occupant?.memory.host == 250 << 20)
        #expect(start(2, "b").isEmpty)
        // It takes less than it did: who waits is served.
        #expect(state.handle(.measured(1, 50 << 20), at: .zero).map(\.text) == ["start b#2"])
        #expect(state.handle(.measured(7, 1), at: .zero).isEmpty)
    }

    @Test func whoWaitsSeesHowFarItIs() {
        var state = SchedulerState(slots: 1)
        for (ticket, name) in [(1, "a"), (2, "a"), (3, "b"), (4, "c")] as [(UInt64, String)] {
            _ = state.handle(.requested(ticket, load(name)), at: .zero)
        }
        #expect(
            (1...5).map { state.position(of: $0) } == [.loading, .loading, .queued(ahead: 0), .queued(ahead: 1), nil])
        _ = state.handle(.started(1), at: .zero)
        #expect(state.position(of: 1) == nil && state.position(of: 4) == .queued(ahead: 1))
    }

    @Test func whatHappensIsCounted() {
        var state = SchedulerState(slots: 1)
        _ = state.handle(.requested(1, load("a")), at: .zero)
        _ = state.handle(.ended(1, Failure(.internalError, "x")), at: .zero)
        _ = state.handle(.requested(2, load("a")), at: .zero)
        _ = state.handle(.started(2), at: .zero)
        _ = state.handle(.released(2), at: .zero)
        _ = state.handle(.requested(3, load("b")), at: .zero)
        #expect(state.counts == .init(loads: 2, failedLoads: 1, evictions: 1))
    }

    @Test func waitersAreBounded() {
        var state = SchedulerState(slots: 1, maximumWaiters: 2)
        #expect(state.handle(.requested(1, load("a")), at: .zero).map(\.text) == ["start a#1"])
        #expect(state.handle(.requested(2, load("b")), at: .zero).isEmpty)
        #expect(state.handle(.requested(3, load("c")), at: .zero).map(\.text) == ["refuse 3 resourceExhausted"])
        #expect(state.handle(.requested(4, load("a")), at: .zero).map(\.text) == ["refuse 4 resourceExhausted"])
    }
}
