import Core
import SystemPackage
import Testing

@testable import Inference

private func load(_ name: String) -> Load {
    Load(backend: "b", modelID: name, modelName: name, files: .init(weights: FilePath("/m/\(name)")))
}

extension SchedulerState.Action {
    /// Short enough to compare whole answers.
    fileprivate var text: String {
        switch self {
        case .grant(let ticket, let id, let load): "grant \(ticket) \(load.modelName)#\(id)"
        case .refuse(let ticket, let failure): "refuse \(ticket) \(failure.code)"
        case .start(let id, let load): "start \(load.modelName)#\(id)"
        case .stop(let id): "stop #\(id)"
        case .schedule(let moment): "schedule \(moment.components.seconds)"
        }
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
                Step(.released(2), at: 10, ["schedule 310"]), Step(.released(3), at: 5, ["schedule 305"]),
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

    @Test(arguments: scripts) func script(_ script: Script) {
        var state = SchedulerState(slots: script.slots)
        for (number, step) in script.steps.enumerated() {
            let actions = state.handle(step.event, at: .seconds(step.at)).map(\.text)
            #expect(actions == step.expected, "step \(number + 1): \(step.event)")
        }
    }

    @Test func waitersAreBounded() {
        var state = SchedulerState(slots: 1, maximumWaiters: 2)
        #expect(state.handle(.requested(1, load("a")), at: .zero).map(\.text) == ["start a#1"])
        #expect(state.handle(.requested(2, load("b")), at: .zero).isEmpty)
        #expect(state.handle(.requested(3, load("c")), at: .zero).map(\.text) == ["refuse 3 resourceExhausted"])
        #expect(state.handle(.requested(4, load("a")), at: .zero).map(\.text) == ["refuse 4 resourceExhausted"])
    }
}
