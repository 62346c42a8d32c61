package import Core
internal import Synchronization
package import SystemPackage

/// How much memory models took when they ran, kept on disk for the estimates of later loads.
package final class MeasuredMemory: Sendable {
    package struct Run: Sendable, Hashable {
        /// Tokens; 0 where the engine chose.
        var context: Int
        var bytes: Int64
    }

    private struct State {
        /// nil: not read yet.
        var runs: [String: Run]?
        /// Keys, those measured longest ago first.
        var order: [String] = []
    }

    static let maximumRuns = 256
    private static let maximumSize = 1 << 20

    private let path: FilePath?
    private let state = Mutex(State())

    /// - Parameter path: nil keeps it in memory only.
    package init(_ path: FilePath?) { self.path = path }

    package static func path(_ paths: Paths) -> FilePath { paths.modelRunner.appending("memory.json") }

    /// What a load took when it ran the last time.
    package func run(of key: Load.Key) -> Run? {
        let text = Self.text(key)
        return state.withLock { state in runs(&state)[text] }
    }

    /// Takes note of what a runner has taken. What cannot be written is not lost on anybody: it is measured again.
    func note(_ bytes: Int64, of load: Load, context: Int?) {
        let text = Self.text(load.key)
        state.withLock { state in
            var runs = runs(&state)
            var run = Run(context: context ?? 0, bytes: bytes)
            // A short use shows less than a long one.
            if let old = runs[text], old.context == run.context { run.bytes = max(run.bytes, old.bytes) }
            guard runs[text] != run else { return }
            runs[text] = run
            state.order.removeAll { $0 == text }
            state.order.append(text)
            if state.order.count > Self.maximumRuns { runs[state.order.removeFirst()] = nil }
            state.runs = runs
            if let path {
                try? Files.makeDirectory(path.removingLastComponent(), mode: 0o700)
                try? Files.write(
                    Self.document(state.order.compactMap { key in runs[key].map { (key, $0) } }).bytes, to: path,
                    mode: 0o600)
            }
        }
    }

    /// Everything that decides about memory but the context.
    private static func text(_ key: Load.Key) -> String {
        let configuration = key.configuration
        return
            ([key.backend, key.modelID, key.draftModelID ?? "", key.mode.rawValue, "\(configuration.slots ?? 0)"]
            + configuration.runtimeFlags).joined(separator: " ")
    }

    private func runs(_ state: inout State) -> [String: Run] {
        if let runs = state.runs { return runs }
        let list = path.map(Self.parse) ?? []
        let runs = Dictionary(list, uniquingKeysWith: { $1 })
        state.runs = runs
        state.order = list.map(\.0).filter { runs[$0] != nil }
        return runs
    }

    /// What is damaged or from a stranger is as good as nothing.
    private static func parse(_ path: FilePath) -> [(String, Run)] {
        let json = (try? Files.read(path, limit: maximumSize)).flatMap { try? JSON(parsing: $0) }
        return (json?["runs"]?.array ?? []).suffix(maximumRuns).compactMap { entry in
            guard let key = entry["key"]?.string, let context = entry["context"]?.int, context >= 0,
                let bytes = entry["bytes"]?.int, bytes > 0, bytes < 1 << 50
            else { return nil }
            return (key, Run(context: context, bytes: Int64(bytes)))
        }
    }

    private static func document(_ runs: [(String, Run)]) -> JSON {
        [
            "version": 1,
            "runs": .array(
                runs.map { key, run in
                    ["key": .string(key), "context": .int(run.context), "bytes": .int(run.bytes)]
                }),
        ]
    }
}
