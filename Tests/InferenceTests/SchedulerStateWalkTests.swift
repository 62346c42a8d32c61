import Core
import SystemPackage
import TestSupport
import Testing

@testable import Inference

/// Random histories with a fixed seed: whatever happens in whatever order, the promises hold.
@Suite struct SchedulerStateWalkTests {
    /// A model of the outside world, as far as the state can know it.
    private struct World {
        var processes: Set<Runner.ID> = []
        var loading: Set<Runner.ID> = []
        var told: Set<Runner.ID> = []
        var waiting: Set<UInt64> = []
        var leases: [Runner.ID: Int] = [:]
        var nextTicket: UInt64 = 1

        mutating func perform(_ actions: [SchedulerState.Action]) {
            for action in actions {
                switch action {
                case .grant(let ticket, let id, _):
                    #expect(waiting.remove(ticket) != nil, "granted twice or to nobody")
                    #expect(processes.contains(id) && !told.contains(id), "granted a runner that goes")
                    leases[id, default: 0] += 1
                case .refuse(let ticket, _): #expect(waiting.remove(ticket) != nil)
                case .start(let id, _):
                    #expect(processes.insert(id).inserted)
                    loading.insert(id)
                case .stop(let id):
                    #expect(processes.contains(id) && told.insert(id).inserted)
                    #expect(leases[id, default: 0] == 0, "stopped a runner in use")
                case .schedule: break
                }
            }
        }

        mutating func end(_ id: Runner.ID) {
            processes.remove(id)
            loading.remove(id)
            told.remove(id)
            leases[id] = nil
        }
    }

    @Test(arguments: 1...40) func walk(seed: Int) {
        var random = SeededRandom(UInt64(seed))
        let slots = 1 + seed % 4
        var state = SchedulerState(slots: slots, idleTimeout: .seconds(30), maximumWaiters: 12)
        var world = World()
        var now = Duration.zero
        for _ in 0..<2000 {
            now += .seconds(Int.random(in: 0...3, using: &random))
            let event: SchedulerState.Event
            switch Int.random(in: 0..<10, using: &random) {
            case 0...3:
                let name = "m\(Int.random(in: 0..<6, using: &random))"
                world.waiting.insert(world.nextTicket)
                event = .requested(
                    world.nextTicket,
                    Load(backend: "b", modelID: name, modelName: name, files: .init(weights: "/m")))
                world.nextTicket += 1
            case 4:
                guard let ticket = world.waiting.sorted().randomElement(using: &random) else { continue }
                world.waiting.remove(ticket)
                event = .cancelled(ticket)
            case 5:
                guard let id = world.loading.sorted().randomElement(using: &random) else { continue }
                world.loading.remove(id)
                event = .started(id)
            case 6:
                let candidates = world.told.isEmpty ? world.processes : world.told
                guard let id = candidates.sorted().randomElement(using: &random) else { continue }
                world.end(id)
                event = .ended(id, Failure(.internalError, "walk"))
            case 7, 8:
                guard let id = world.leases.filter({ $0.value > 0 }).keys.sorted().randomElement(using: &random) else {
                    continue
                }
                world.leases[id, default: 0] -= 1
                event = .released(id)
            default: event = Bool.random(using: &random) ? .tick : .unload(.init(modelIDs: ["m1", "m2"]))
            }
            world.perform(state.handle(event, at: now))
            check(state, world, slots)
        }
        drain(&state, &world, &now)
        #expect(world.waiting.isEmpty, "somebody waits for ever")
    }

    private func check(_ state: SchedulerState, _ world: World, _ slots: Int) {
        #expect(state.slots.count == slots)
        #expect(Set(state.slots.compactMap(\.id)) == world.processes, "slots and processes differ")
        let keys = state.slots.compactMap { $0.load?.key }
        #expect(Set(keys).count == keys.count, "a model runs twice")
        for case .ready(let id, _, let leases, _) in state.slots { #expect(leases == world.leases[id, default: 0]) }
        var known = state.queue.map(\.ticket)
        for case .starting(_, _, let waiters) in state.slots { known += waiters }
        #expect(Set(known) == world.waiting && known.count == world.waiting.count, "a ticket was lost")
        if state.slots.contains(.free) {
            // Only for the end of its own model's process may somebody wait beside a free slot.
            #expect(state.queue.allSatisfy { keys.contains($0.load.key) }, "somebody waits beside a free slot")
        }
    }

    /// Lets everything run out; then nobody may be left waiting.
    private func drain(_ state: inout SchedulerState, _ world: inout World, _ now: inout Duration) {
        for _ in 0..<200 where !world.waiting.isEmpty {
            now += .seconds(1)
            for id in world.told.sorted() {
                world.end(id)
                world.perform(state.handle(.ended(id, nil), at: now))
            }
            for id in world.loading.subtracting(world.told).sorted() {
                world.loading.remove(id)
                world.perform(state.handle(.started(id), at: now))
            }
            for (id, leases) in world.leases.sorted(by: { $0.key < $1.key }) {
                for _ in 0..<leases {
                    world.leases[id, default: 0] -= 1
                    world.perform(state.handle(.released(id), at: now))
                }
            }
        }
    }
}
