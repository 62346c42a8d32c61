internal import Core

extension SchedulerState {
    mutating func request(_ ticket: Ticket, _ load: Load, at now: Moment) -> [Action] {
        if isShutDown { return [.refuse(ticket, Self.shuttingDown)] }
        if let index = slots.firstIndex(where: { $0.load?.key == load.key }),
            case .ready(let id, let load, let leases, _) = slots[index]
        {
            slots[index] = .ready(id, load, leases: leases + 1, lastUsed: now)
            return [.grant(ticket, id, load)]
        }
        guard waiterCount < maximumWaiters else {
            return [
                .refuse(
                    ticket,
                    Failure(
                        .resourceExhausted, "\(maximumWaiters) requests are already waiting for a model",
                        advice: "Try again later."))
            ]
        }
        queue.append((ticket, load))
        return dispatch(at: now)
    }

    var waiterCount: Int {
        slots.reduce(queue.count) { count, slot in
            if case .starting(_, _, let waiters) = slot { count + waiters.count } else { count }
        }
    }

    mutating func forget(_ ticket: Ticket) {
        queue.removeAll { $0.ticket == ticket }
        for index in slots.indices {
            if case .starting(let id, let load, var waiters) = slots[index] {
                waiters.removeAll { $0 == ticket }
                // It goes on loading: whoever asked is likely to come back, and others make it stop if they need the slot.
                slots[index] = .starting(id, load, waiters: waiters)
            }
        }
    }

    mutating func started(_ id: Runner.ID, at now: Moment) -> [Action] {
        guard let index = index(of: id), case .starting(_, let load, let waiters) = slots[index] else { return [] }
        slots[index] = .ready(id, load, leases: waiters.count, lastUsed: now)
        let grants = waiters.map { Action.grant($0, id, load) }
        return grants + dispatch(at: now) + nextDeadline()
    }

    mutating func ended(_ id: Runner.ID, _ failure: Failure?, at now: Moment) -> [Action] {
        guard let index = index(of: id) else { return [] }
        var refusals: [Action] = []
        if case .starting(_, _, let waiters) = slots[index] {
            let reason = failure ?? Failure(.internalError, "the engine stopped while loading the model")
            refusals = waiters.map { .refuse($0, isShutDown ? Self.shuttingDown : reason) }
        }
        slots[index] = .free
        return refusals + dispatch(at: now)
    }

    /// A release that comes after its runner has ended finds nothing and changes nothing.
    mutating func released(_ id: Runner.ID, at now: Moment) -> [Action] {
        guard let index = index(of: id), case .ready(_, let load, let leases, _) = slots[index], leases > 0 else {
            return []
        }
        slots[index] = .ready(id, load, leases: leases - 1, lastUsed: now)
        return leases == 1 ? dispatch(at: now) + nextDeadline() : []
    }

    mutating func stopAll(at now: Moment, where condition: (Slot) -> Bool) -> [Action] {
        var actions: [Action] = []
        for index in slots.indices where condition(slots[index]) {
            if let stop = stop(index) { actions.append(stop) }
        }
        return actions
    }

    /// Finds a place for those who wait, in the order they came; makes room where that helps.
    mutating func dispatch(at now: Moment) -> [Action] {
        if isShutDown { return [] }
        var actions: [Action] = []
        var remaining: [(ticket: Ticket, load: Load)] = []
        var provided = Set<Load.Key>()
        // Slots that become free soon and are not promised to anyone yet.
        var freeing = slots.count { if case .stopping = $0 { true } else { false } }
        for waiter in queue {
            let key = waiter.load.key
            if let index = slots.firstIndex(where: { $0.load?.key == key }) {
                switch slots[index] {
                case .ready(let id, let load, let leases, _):
                    slots[index] = .ready(id, load, leases: leases + 1, lastUsed: now)
                    actions.append(.grant(waiter.ticket, id, load))
                    continue
                case .starting(let id, let load, let waiters):
                    slots[index] = .starting(id, load, waiters: waiters + [waiter.ticket])
                    continue
                case .stopping, .free:
                    // The same model is on its way out: wait for its own slot, never run it twice.
                    if provided.insert(key).inserted { freeing -= 1 }
                }
            } else if provided.insert(key).inserted {
                if let index = slots.firstIndex(of: .free) {
                    slots[index] = .starting(nextID, waiter.load, waiters: [waiter.ticket])
                    actions.append(.start(nextID, waiter.load))
                    nextID += 1
                    continue
                } else if freeing > 0 {
                    freeing -= 1
                } else if let victim = leastNeeded(), let stop = stop(victim) {
                    actions.append(stop)
                }
            }
            remaining.append(waiter)
        }
        queue = remaining
        return actions
    }

    private mutating func stop(_ index: Int) -> Action? {
        switch slots[index] {
        case .ready(let id, let load, _, _), .starting(let id, let load, _):
            slots[index] = .stopping(id, load)
            return .stop(id)
        case .free, .stopping: return nil
        }
    }

    /// A load nobody waits for any more, else the runner without a lease that was used least recently.
    private func leastNeeded() -> Int? {
        if let index = slots.firstIndex(where: { if case .starting(_, _, waiters: []) = $0 { true } else { false } }) {
            return index
        }
        var found: (index: Int, lastUsed: Moment)?
        for (index, slot) in slots.enumerated() {
            if case .ready(_, _, 0, let lastUsed) = slot, found.map({ lastUsed < $0.lastUsed }) ?? true {
                found = (index, lastUsed)
            }
        }
        return found?.index
    }

    func nextDeadline() -> [Action] {
        let idleSince = slots.compactMap { slot -> Moment? in
            if case .ready(_, _, 0, let lastUsed) = slot { lastUsed } else { nil }
        }
        return idleSince.min().map { [.schedule($0 + idleTimeout)] } ?? []
    }

    private func index(of id: Runner.ID) -> Int? { slots.firstIndex { $0.id == id } }
}
