internal import Core
internal import Synchronization

extension Scheduler {
    /// What is loaded or loading now.
    package func running() -> [RunnerStatus] {
        let now = moment
        let wall = Timestamp.now.seconds
        let timeout = KeepAlive.after(configuration.idleTimeout)
        return shared.withLock { $0.state.slots }.compactMap { slot in
            switch slot {
            case .free, .stopping: nil
            case .starting(_, let load, _):
                RunnerStatus(load, lastUsed: wall, inUse: false, loading: true, keepAlive: timeout)
            case .ready(_, let load, let leases, let lastUsed):
                RunnerStatus(
                    load, lastUsed: wall - (now - lastUsed).components.seconds, inUse: leases > 0, loading: false,
                    keepAlive: timeout)
            }
        }
    }

    /// Whether a request is using or waiting for a runner.
    package var isInUse: Bool {
        shared.withLock { shared in
            !shared.waiting.isEmpty
                || shared.state.slots.contains { if case .ready(_, _, 1..., _) = $0 { true } else { false } }
        }
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
    fileprivate init(_ load: Load, lastUsed: Int64, inUse: Bool, loading: Bool, keepAlive: KeepAlive) {
        self.init(
            backend: load.key.backend, modelID: load.key.modelID, modelName: load.modelName, mode: load.key.mode,
            lastUsed: lastUsed, inUse: inUse, loading: loading, keepAlive: keepAlive)
    }
}

extension Scheduler {
    /// The runners that are ready.
    package func readyRunners() -> [Runner] {
        shared.withLock { $0.state.slots }.compactMap { slot in
            guard case .ready(let id, let load, _, _) = slot else { return nil }
            return Runner(id: id, load: load, address: .unix(socket(id)))
        }
    }

    /// Requests that wait for a runner.
    package var waitingCount: Int { shared.withLock { $0.waiting.count } }

    /// Whether a lease for this load would be had at once.
    package func isReady(_ load: Load) -> Bool {
        shared.withLock { shared in
            shared.state.slots.contains { if case .ready(_, let held, _, _) = $0 { held.key == load.key } else { false } }
        }
    }
}
