internal import Core

extension SchedulerState {
    mutating func request(_ ticket: Ticket, _ load: Load, at now: Moment) -> [Action] {
        if isShutDown { return [.refuse(ticket, Self.shuttingDown)] }
        if let occupant = use(load, at: now) { return [.grant(ticket, occupant)] }
        guard waiterCount < maximumWaiters else {
            return [
                .refuse(
                    ticket,
                    Failure(
                        .resourceExhausted, "\(maximumWaiters) requests are already waiting for a model",
                        advice: "Try again later."))
            ]
        }
        queue.append(Waiter(ticket: ticket, load: load, since: now))
        return dispatch(at: now)
    }

    /// Gives out a lease of a runner that is ready; nil where one would have to wait.
    mutating func use(_ load: Load, at now: Moment) -> Occupant? {
        guard !isShutDown, let index = slots.firstIndex(where: { $0.load?.isSame(as: load) ?? false }),
            case .ready(var occupant, let leases, _) = slots[index], !isSomebodyImpatient(at: now)
        else { return nil }
        occupant.keepAlive = load.keepAlive
        slots[index] = .ready(occupant, leases: leases + 1, lastUsed: now)
        return occupant
    }

    var waiterCount: Int {
        slots.reduce(queue.count) { count, slot in
            if case .starting(_, let waiters) = slot { count + waiters.count } else { count }
        }
    }

    /// Whether a request for this key is served at once.
    func isReady(_ load: Load) -> Bool {
        slots.contains { if case .ready(let occupant, _, _) = $0 { occupant.load.isSame(as: load) } else { false } }
    }

    /// Whether an event can lead to a start, for which the machine's memory is looked at. Most requests find a runner.
    func needsMemory(_ event: Event) -> Bool {
        switch event {
        case .requested(_, let load): !isReady(load)
        case .ended, .released, .cancelled: !queue.isEmpty
        case .started, .tick, .unload, .shutdown: false
        }
    }

    func position(of ticket: Ticket) -> WaitingPosition? {
        for case .starting(_, let waiters) in slots where waiters.contains(ticket) { return .loading }
        return queue.firstIndex { $0.ticket == ticket }.map { .queued(ahead: $0) }
    }

    func isSomebodyImpatient(at now: Moment) -> Bool { queue.first.map { $0.since + patience <= now } ?? false }

    mutating func forget(_ ticket: Ticket) {
        queue.removeAll { $0.ticket == ticket }
        for index in slots.indices {
            if case .starting(let occupant, var waiters) = slots[index] {
                waiters.removeAll { $0 == ticket }
                // It goes on loading: whoever asked is likely to come back, and others make it stop if they need the slot.
                slots[index] = .starting(occupant, waiters: waiters)
            }
        }
    }

    mutating func started(_ id: Runner.ID, at now: Moment) -> [Action] {
        guard let index = index(of: id), case .starting(let occupant, let waiters) = slots[index] else { return [] }
        slots[index] = .ready(occupant, leases: waiters.count, lastUsed: now)
        let grants = waiters.map { Action.grant($0, occupant) }
        return grants + (waiters.isEmpty ? expire(index) : []) + dispatch(at: now) + nextDeadline(at: now)
    }

    mutating func ended(_ id: Runner.ID, _ failure: Failure?, at now: Moment) -> [Action] {
        guard let index = index(of: id) else { return [] }
        var actions: [Action] = []
        if failure != nil, case .starting = slots[index] { counts.failedLoads += 1 }
        if case .starting(let occupant, let waiters) = slots[index], !waiters.isEmpty {
            slots[index] = .free
            let reason = failure ?? Failure(.internalError, "the engine stopped while loading the model")
            if !isShutDown, let retry = retry(occupant, after: reason, &actions) {
                queue = waiters.map { Waiter(ticket: $0, load: occupant.load, since: now, retry: retry) } + queue
            } else {
                actions += waiters.map { .refuse($0, isShutDown ? Self.shuttingDown : reason) }
            }
        }
        slots[index] = .free
        for place in queue.indices where queue[place].retry?.after == id { queue[place].retry?.after = nil }
        return actions + dispatch(at: now)
    }

    /// Whether a load that has died of too little memory is tried again: once, when somebody idle goes for it or its
    /// context may be smaller.
    private mutating func retry(_ occupant: Occupant, after failure: Failure, _ actions: inout [Action]) -> Retry? {
        guard failure.code == .resourceExhausted, !occupant.isRetry else { return nil }
        if let victim = victims().first, let stop = evict(victim) {
            actions.append(stop)
            return Retry(after: slots[victim].id)
        }
        guard let context = occupant.context, occupant.load.contexts.contains(where: { $0 ?? .max < context }) else {
            return nil
        }
        return Retry(tooMany: context)
    }

    /// A release that comes after its runner has ended finds nothing and changes nothing.
    mutating func released(_ id: Runner.ID, at now: Moment) -> [Action] {
        guard let index = index(of: id), case .ready(let occupant, let leases, _) = slots[index], leases > 0 else {
            return []
        }
        slots[index] = .ready(occupant, leases: leases - 1, lastUsed: now)
        guard leases == 1 else { return [] }
        return expire(index) + dispatch(at: now) + nextDeadline(at: now)
    }

    /// Ends a runner that is not to stay for a moment after its last use.
    private mutating func expire(_ index: Int) -> [Action] {
        guard case .ready(let occupant, leases: 0, _) = slots[index], occupant.keepAlive == .after(.zero),
            !queue.contains(where: { $0.load.key == occupant.load.key })
        else { return [] }
        return stop(index).map { [$0] } ?? []
    }

    mutating func tick(at now: Moment) -> [Action] {
        nextTick = nil
        return stopAll { slot in Self.expiry(of: slot).map { $0 <= now } ?? false } + nextDeadline(at: now)
    }

    mutating func stopAll(where condition: (Slot) -> Bool) -> [Action] {
        var actions: [Action] = []
        for index in slots.indices where condition(slots[index]) {
            if let stop = stop(index) { actions.append(stop) }
        }
        return actions
    }

    mutating func stop(_ index: Int) -> Action? {
        switch slots[index] {
        case .ready(let occupant, _, _), .starting(let occupant, _):
            slots[index] = .stopping(occupant)
            return .stop(occupant.id)
        case .free, .stopping: return nil
        }
    }

    /// When an idle runner is to end.
    private static func expiry(of slot: Slot) -> Moment? {
        guard case .ready(let occupant, leases: 0, let lastUsed) = slot, case .after(let time) = occupant.keepAlive
        else {
            return nil
        }
        return lastUsed + time
    }

    /// Asks for a tick, unless one comes early enough.
    private mutating func nextDeadline(at now: Moment) -> [Action] {
        guard let next = slots.compactMap(Self.expiry).min() else { return [] }
        if let nextTick, nextTick <= next, nextTick > now { return [] }
        nextTick = next
        return [.schedule(next)]
    }

    func index(of id: Runner.ID) -> Int? { slots.firstIndex { $0.id == id } }
}
