internal import Inference
internal import OCI
internal import Synchronization

/// Loads that have been planned: most requests want again what the one before has wanted, from the same runner.
final class LoadPlans: Sendable {
    /// All that a request decides.
    struct Wish: Hashable, Sendable {
        let modelID: Digest
        let mode: Load.Mode?
        let backend: String?
        let overrides: LoadOverrides
    }

    /// Of what else decides.
    struct Revision: Equatable, Sendable {
        let store: Int
        let configurations: Int
    }

    private struct State {
        var revision: Revision?
        var loads: [Wish: Load] = [:]
    }

    /// Wishes are the clients' to choose.
    private static let maximumLoads = 256

    private let state = Mutex(State())

    func load(_ wish: Wish, _ revision: Revision) -> Load? {
        state.withLock { $0.revision == revision ? $0.loads[wish] : nil }
    }

    func keep(_ load: Load, _ wish: Wish, _ revision: Revision) {
        state.withLock { state in
            if state.revision != revision || state.loads.count >= Self.maximumLoads { state.loads = [:] }
            state.revision = revision
            state.loads[wish] = load
        }
    }
}
