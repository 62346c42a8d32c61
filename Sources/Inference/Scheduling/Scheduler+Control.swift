internal import Core
internal import Synchronization

extension Scheduler {
    /// What is loaded or loading now.
    package func running() -> [RunnerStatus] {
        let now = moment
        let wall = Timestamp.now.seconds
        return shared.withLock { $0.state.slots }.compactMap { slot in
            switch slot {
            case .free, .stopping: nil
            case .starting(let occupant, _): RunnerStatus(occupant, lastUsed: wall, inUse: false, loading: true)
            case .ready(let occupant, let leases, let lastUsed):
                RunnerStatus(
                    occupant, lastUsed: wall - (now - lastUsed).components.seconds, inUse: leases > 0, loading: false)
            }
        }
    }

    /// Whether a request is using or waiting for a runner.
    package var isInUse: Bool {
        shared.withLock { shared in
            !shared.waiting.isEmpty
                || shared.state.slots.contains { if case .ready(_, 1..., _) = $0 { true } else { false } }
        }
    }

    /// Whether a model is loaded, which somebody may have wanted to stay for long.
    package var holdsRunners: Bool {
        shared.withLock { $0.state.slots.contains { if case .ready = $0 { true } else { false } } }
    }

    /// Unloads the runners that hold these models and are not in use.
    ///
    /// - Returns: how many.
    @discardableResult
    package func unload(models: Set<String>, backend: String? = nil) -> Int {
        apply(.unload(.init(modelIDs: models, backend: backend)))
    }

    @discardableResult
    package func unloadAll(backend: String? = nil) -> Int { apply(.unload(.init(backend: backend))) }
}

extension RunnerStatus {
    fileprivate init(_ occupant: SchedulerState.Occupant, lastUsed: Int64, inUse: Bool, loading: Bool) {
        let load = occupant.load
        self.init(
            backend: load.key.backend, modelID: load.key.modelID, modelName: load.modelName, mode: load.mode,
            lastUsed: lastUsed, inUse: inUse, loading: loading, keepAlive: occupant.keepAlive,
            contextSize: occupant.context, memory: occupant.memory, bytes: occupant.bytes,
            configuration: load.configuration,
            draftModelID: load.key.draftModelID)
    }
}

extension Scheduler {
    /// The runners that are ready.
    package func readyRunners() -> [Runner] {
        shared.withLock { shared in
            shared.state.slots.compactMap { slot in
                if case .ready(let occupant, _, _) = slot { runner(occupant, shared) } else { nil }
            }
        }
    }

    /// Requests that wait for a runner.
    package var waitingCount: Int { shared.withLock { $0.waiting.count } }

    package var counts: SchedulerState.Counts { shared.withLock { $0.state.counts } }

    /// Whether a lease for this load would be had at once.
    package func isReady(_ load: Load) -> Bool { shared.withLock { $0.state.isReady(load) } }
}
