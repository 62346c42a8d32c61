internal import Core

extension SchedulerState {
    /// What starts are made of: slots and memory. Less than nothing is possible, where more was estimated than there is.
    private struct Resources {
        var slots: Int
        var memory: Memory

        func holds(_ need: Memory) -> Bool { slots > 0 && need.fits(in: memory) }

        mutating func take(_ need: Memory) {
            slots -= 1
            memory -= need
        }

        mutating func give(_ occupant: Occupant) {
            slots += 1
            memory += occupant.memory
        }
    }

    /// One look at the queue.
    private struct Round {
        let now: Moment
        /// What there is now.
        var present: Resources
        /// What there will be when those who have been told to end have ended, without what is promised to somebody.
        var coming: Resources
        /// Runners that somebody has waited for too long: others do not keep them busy any more.
        var draining: Set<Runner.ID> = []
        var actions: [Action] = []
    }

    private enum Placement {
        case started
        case waits
        case refused(Failure)
    }

    /// Finds a place for those who wait, in the order they came; makes room where that helps.
    mutating func dispatch(at now: Moment) -> [Action] {
        if isShutDown || queue.isEmpty { return [] }
        var round = Round(now: now, present: present, coming: present)
        for case .stopping(let occupant) in slots { round.coming.give(occupant) }
        var remaining: [Waiter] = []
        var provided = Set<Load.Key>()
        for waiter in queue {
            let key = waiter.load.key
            if let index = slots.firstIndex(where: { $0.load?.key == key }) {
                switch slots[index] {
                case .ready(var occupant, let leases, _) where !round.draining.contains(occupant.id):
                    occupant.keepAlive = waiter.load.keepAlive
                    slots[index] = .ready(occupant, leases: leases + 1, lastUsed: now)
                    round.actions.append(.grant(waiter.ticket, occupant))
                    continue
                case .starting(let occupant, let waiters):
                    slots[index] = .starting(occupant, waiters: waiters + [waiter.ticket])
                    continue
                case .stopping(let occupant):
                    // The same model is on its way out: wait for its own slot, never run it twice.
                    if provided.insert(key).inserted { round.coming.take(occupant.memory) }
                case .ready, .free: break
                }
            } else if provided.insert(key).inserted {
                switch place(waiter, &round) {
                case .started: continue
                case .refused(let failure):
                    round.actions.append(.refuse(waiter.ticket, failure))
                    // Everybody else who wants the same is told the same.
                    provided.remove(key)
                    continue
                case .waits: break
                }
            }
            remaining.append(waiter)
        }
        queue = remaining
        return round.actions
    }

    private mutating func place(_ waiter: Waiter, _ round: inout Round) -> Placement {
        let load = waiter.load
        // Between its first engine's end and the end of the runner that goes for it.
        if waiter.retry?.after != nil {
            round.coming.take(load.needs(context: load.contexts[0]))
            return .waits
        }
        let contexts =
            waiter.retry?.tooMany.map { limit in load.contexts.filter { $0 ?? .max < limit } } ?? load.contexts
        let idle = victims()
        for context in contexts {
            let need = load.needs(context: context)
            if round.present.holds(need), round.coming.holds(need) {
                start(waiter, context, need, &round)
                return .started
            }
            var projected = round.coming
            var going: [Int] = []
            for victim in idle where !projected.holds(need) {
                guard let occupant = slots[victim].occupant else { continue }
                projected.give(occupant)
                going.append(victim)
            }
            guard projected.holds(need) else { continue }
            projected.take(need)
            round.coming = projected
            for victim in going { if let stop = evict(victim) { round.actions.append(stop) } }
            return .waits
        }
        let least = load.needs(context: contexts.last ?? nil)
        if let failure = impossible(load, least: least) { return .refused(failure) }
        if waiter.since + patience <= round.now { round.draining = wanted(for: least, round.coming) }
        // It waits for somebody who is in use; others that come later must not take what becomes free.
        if round.coming.slots > 0 {
            let left = round.coming.memory
            round.coming.memory = Memory(host: min(0, left.host), device: min(0, left.device))
        }
        return .waits
    }

    /// Runners in use that would have to end for a load, those with the fewest requests first.
    private func wanted(for need: Memory, _ coming: Resources) -> Set<Runner.ID> {
        var projected = coming
        for victim in victims() { if let occupant = slots[victim].occupant { projected.give(occupant) } }
        var busy: [(occupant: Occupant, leases: Int)] = []
        for case .ready(let occupant, let leases, _) in slots where leases > 0 && !occupant.isPinned {
            busy.append((occupant, leases))
        }
        var result: Set<Runner.ID> = []
        for (occupant, _) in busy.sorted(by: { $0.leases < $1.leases }) where !projected.holds(need) {
            projected.give(occupant)
            result.insert(occupant.id)
        }
        return result
    }

    private mutating func start(_ waiter: Waiter, _ context: Int?, _ memory: Memory, _ round: inout Round) {
        guard let index = slots.firstIndex(of: .free) else { return }
        let occupant = Occupant(
            id: nextID, load: waiter.load, context: context, memory: memory, isRetry: waiter.retry != nil,
            keepAlive: waiter.load.keepAlive)
        nextID += 1
        counts.loads += 1
        slots[index] = .starting(occupant, waiters: [waiter.ticket])
        round.actions.append(.start(occupant))
        round.present.take(memory)
        round.coming.take(memory)
    }

    private var present: Resources {
        var memory = budget
        var loading = Memory.zero
        for slot in slots {
            guard let occupant = slot.occupant else { continue }
            memory -= occupant.memory
            if case .starting = slot { loading += occupant.memory }
        }
        // What is loading has not taken its share yet.
        if let available { memory.host = min(memory.host, available - loading.host) }
        return Resources(slots: slots.count { $0 == .free }, memory: memory)
    }

    mutating func evict(_ index: Int) -> Action? {
        counts.evictions += 1
        return stop(index)
    }

    /// Who may go, in this order: loads nobody waits for any more, then runners without a lease, the one that was used
    /// least recently first. What is pinned stays.
    func victims() -> [Int] {
        var abandoned: [Int] = []
        var idle: [(index: Int, lastUsed: Moment)] = []
        for (index, slot) in slots.enumerated() {
            switch slot {
            case .starting(_, waiters: []): abandoned.append(index)
            case .ready(let occupant, leases: 0, let lastUsed) where !occupant.isPinned: idle.append((index, lastUsed))
            default: break
            }
        }
        return abandoned + idle.sorted { $0.lastUsed < $1.lastUsed }.map(\.index)
    }

    /// Why a load can never be placed, whoever ends; nil when waiting helps.
    private func impossible(_ load: Load, least: Memory) -> Failure? {
        var most = present
        var pinned: [Occupant] = []
        for slot in slots {
            guard let occupant = slot.occupant else { continue }
            if occupant.isPinned, case .ready = slot { pinned.append(occupant) } else { most.give(occupant) }
        }
        if most.holds(least) { return nil }
        return MemoryRefusal(load: load, least: least, most: most.memory, hasSlot: most.slots > 0, kept: pinned).failure
    }
}
