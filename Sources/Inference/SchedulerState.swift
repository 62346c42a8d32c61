package import Core

/// Which model is in which slot, who waits, who must go: a value that decides, without clock, tasks or sockets.
///
/// A slot is never free while its process still exists, so two engines never compete for the place of one. Requests
/// for the same key share one start; the least recently used runner without a lease makes room.
package struct SchedulerState: Sendable {
    /// A request that waits, or the lease it got.
    package typealias Ticket = UInt64
    /// Time since the scheduler's start.
    package typealias Moment = Duration

    package enum Slot: Sendable, Hashable {
        case free
        /// Its process is loading; the tickets get leases when it is ready.
        case starting(Runner.ID, Load, waiters: [Ticket])
        case ready(Runner.ID, Load, leases: Int, lastUsed: Moment)
        /// Its process has been told to end and still exists.
        case stopping(Runner.ID, Load)
    }

    package enum Event: Sendable {
        case requested(Ticket, Load)
        /// The client of a waiting ticket went away.
        case cancelled(Ticket)
        case started(Runner.ID)
        /// The process is gone, for whatever reason.
        case ended(Runner.ID, Failure?)
        case released(Runner.ID)
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
        case grant(Ticket, Runner.ID, Load)
        case refuse(Ticket, Failure)
        case start(Runner.ID, Load)
        case stop(Runner.ID)
        /// Send `.tick` at this moment.
        case schedule(Moment)
    }

    package internal(set) var slots: [Slot]
    /// Who waits for a slot, in order.
    package internal(set) var queue: [(ticket: Ticket, load: Load)] = []
    package let idleTimeout: Duration
    package let maximumWaiters: Int
    var nextID: Runner.ID = 1
    var isShutDown = false

    /// - Parameter maximumWaiters: requests that may wait at the same time, for a slot or for a load.
    package init(slots: Int, idleTimeout: Duration = .seconds(300), maximumWaiters: Int = 512) {
        self.slots = Array(repeating: .free, count: max(1, slots))
        self.idleTimeout = idleTimeout
        self.maximumWaiters = maximumWaiters
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
        case .tick:
            let idleTimeout = idleTimeout
            return stopAll(at: now) { slot in
                if case .ready(_, _, 0, let lastUsed) = slot { lastUsed + idleTimeout <= now } else { false }
            } + nextDeadline()
        case .unload(let unload):
            return stopAll(at: now) { slot in
                switch slot {
                case .ready(_, let load, 0, _), .starting(_, let load, waiters: []): unload.matches(load)
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
    package var id: Runner.ID? {
        switch self {
        case .free: nil
        case .starting(let id, _, _), .ready(let id, _, _, _), .stopping(let id, _): id
        }
    }

    package var load: Load? {
        switch self {
        case .free: nil
        case .starting(_, let load, _), .ready(_, let load, _, _), .stopping(_, let load): load
        }
    }
}
