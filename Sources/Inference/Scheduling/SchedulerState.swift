package import Core

/// Which model is in which slot with how much memory, who waits, who must go: a value that decides, without clock, tasks
/// or sockets.
///
/// A slot is never free while its process still exists, so two engines never compete for the place of one. Requests
/// for the same key share one start; the least recently used runner without a lease makes room.
package struct SchedulerState: Sendable {
    /// A request that waits, or the lease it got.
    package typealias Ticket = UInt64
    /// Time since the scheduler's start.
    package typealias Moment = Duration

    /// A process and what it was given.
    package struct Occupant: Sendable, Hashable {
        package let id: Runner.ID
        package let load: Load
        /// Tokens it was started with; nil where the engine chose.
        package let context: Int?
        /// Estimated; once it runs, measured where only that tells.
        package internal(set) var memory: Memory
        /// Whether it was started a second time, after the first had run out of memory.
        let isRetry: Bool
        package var keepAlive: KeepAlive

        /// Whether it stays until somebody unloads it.
        package var isPinned: Bool { keepAlive == .forever }

        /// What it takes in one number: memory that a GPU shares with the machine counts once.
        package var bytes: Int64 { load.memory?.placement == .unified ? memory.host : memory.host + memory.device }
    }

    package enum Slot: Sendable, Hashable {
        case free
        /// Its process is loading; the tickets get leases when it is ready.
        case starting(Occupant, waiters: [Ticket])
        case ready(Occupant, leases: Int, lastUsed: Moment)
        /// Its process has been told to end and still exists.
        case stopping(Occupant)
    }

    struct Waiter: Sendable {
        let ticket: Ticket
        let load: Load
        let since: Moment
        /// Set when its engine has died of too little memory: it may be started once more, when this runner is gone.
        var retry: Retry?
    }

    struct Retry: Sendable {
        var after: Runner.ID?
        /// Tokens that were too many.
        var tooMany: Int?
    }

    /// What has happened since the beginning.
    package struct Counts: Sendable, Hashable {
        package var loads = 0
        package var failedLoads = 0
        /// Runners that had to go for others.
        package var evictions = 0
    }

    package enum Event: Sendable {
        case requested(Ticket, Load)
        /// The client of a waiting ticket went away.
        case cancelled(Ticket)
        case started(Runner.ID)
        /// The process is gone, for whatever reason; `.resourceExhausted` when it ran out of memory.
        case ended(Runner.ID, Failure?)
        case released(Runner.ID)
        /// What its processes take of the machine's memory.
        case measured(Runner.ID, Int64)
        /// The moment asked for by `.schedule` has come.
        case tick
        case unload(Unload)
        case shutdown
    }

    package struct Unload: Sendable {
        /// nil means every model.
        package var modelIDs: Set<String>?
        package var backend: String?

        package init(modelIDs: Set<String>? = nil, backend: String? = nil) {
            self.modelIDs = modelIDs
            self.backend = backend
        }

        func matches(_ load: Load) -> Bool {
            (modelIDs?.contains(load.key.modelID) ?? true) && (backend.map { $0 == load.key.backend } ?? true)
        }
    }

    package enum Action: Sendable {
        case grant(Ticket, Occupant)
        case refuse(Ticket, Failure)
        case start(Occupant)
        case stop(Runner.ID)
        /// Send `.tick` at this moment.
        case schedule(Moment)
    }

    package internal(set) var slots: [Slot]
    /// Who waits for a slot or for memory, in order.
    var queue: [Waiter] = []
    package let maximumWaiters: Int
    /// What all runners together may take.
    var budget: Memory
    /// What the machine has left for now, as far as anybody has looked; nil where that does not count.
    package var available: Int64?
    /// How long a request waits for a runner that others keep busy, before they have to queue behind it.
    let patience: Duration
    package internal(set) var counts = Counts()
    var nextID: Runner.ID = 1
    var isShutDown = false
    /// The tick that has been asked for.
    var nextTick: Moment?

    /// - Parameter maximumWaiters: requests that may wait at the same time, for a slot or for a load.
    package init(
        slots: Int, budget: Memory = .unlimited, maximumWaiters: Int = 512, patience: Duration = .seconds(30)
    ) {
        self.slots = Array(repeating: .free, count: max(1, slots))
        self.budget = budget
        self.maximumWaiters = maximumWaiters
        self.patience = patience
    }

    /// Takes in what happened and says what to do about it.
    package mutating func handle(_ event: Event, at now: Moment) -> [Action] {
        switch event {
        case .requested(let ticket, let load): return request(ticket, load, at: now)
        case .cancelled(let ticket):
            forget(ticket)
            return dispatch(at: now)
        case .started(let id): return started(id, at: now)
        case .ended(let id, let failure): return ended(id, failure, at: now)
        case .released(let id): return released(id, at: now)
        case .measured(let id, let bytes): return measured(id, bytes, at: now)
        case .tick: return tick(at: now)
        case .unload(let unload):
            return stopAll { slot in
                switch slot {
                case .ready(let occupant, 0, _), .starting(let occupant, waiters: []): unload.matches(occupant.load)
                default: false
                }
            }
        case .shutdown:
            isShutDown = true
            let refused = queue.map { Action.refuse($0.ticket, Self.shuttingDown) }
            queue = []
            return refused
        }
    }

    static let shuttingDown = Failure(.unavailable, "the model runner is shutting down")
}

extension SchedulerState.Slot {
    package var occupant: SchedulerState.Occupant? {
        switch self {
        case .free: nil
        case .starting(let occupant, _), .ready(let occupant, _, _), .stopping(let occupant): occupant
        }
    }

    package var id: Runner.ID? { occupant?.id }
    package var load: Load? { occupant?.load }
}
