package import Core
internal import Synchronization
package import SystemPackage

/// What has been decided about models, kept across daemons: a small JSON file, replaced as a whole.
///
/// A decision belongs to a model's ID, and follows its name where a newer model takes that over.
package final class ConfigurationFile: Sendable {
    package struct Entry: Sendable, Hashable {
        package var modelID: String
        package var names: [String]
        package var configuration: ModelConfiguration
    }

    private struct State {
        var stamp: Stamp?
        var entries: [Entry] = []
        /// Grows when entries may have changed.
        var revision = 0
    }

    private struct Stamp: Equatable {
        let inode: UInt64
        let modified, nanoseconds, size: Int64
    }

    static let maximumEntries = 1000
    private static let maximumSize = 4 << 20

    private let path: FilePath?
    private let state = Mutex(State())

    /// - Parameter path: nil keeps it in memory only.
    package init(_ path: FilePath?) { self.path = path }

    package static func path(_ paths: Paths) -> FilePath { paths.modelRunner.appending("configuration.json") }

    /// - Throws: `.corrupted` for a file that somebody has damaged.
    package func entries() throws -> [Entry] { try state.withLock { try current(&$0) } }

    /// Another one whenever something may have been decided anew.
    package func revision() throws -> Int {
        try state.withLock { state in
            _ = try current(&state)
            return state.revision
        }
    }

    /// What was decided about a model, by its ID or one of its names.
    package func configuration(ofModel id: String, names: [String]) throws -> ModelConfiguration {
        try state.withLock { state in
            let entries = try current(&state)
            if entries.isEmpty { return ModelConfiguration() }
            return Self.place(of: id, names, in: entries).map { entries[$0].configuration } ?? ModelConfiguration()
        }
    }

    /// Changes what was decided about a model. What `change` throws is thrown, and nothing is written.
    @discardableResult
    package func update(
        modelID id: String, names: [String], _ change: (ModelConfiguration) throws -> ModelConfiguration
    ) throws -> ModelConfiguration {
        try locked { entries in
            let place = Self.place(of: id, names, in: entries)
            let configuration = try change(place.map { entries[$0].configuration } ?? ModelConfiguration())
            if let place { entries.remove(at: place) }
            if !configuration.isEmpty { entries.append(Entry(modelID: id, names: names, configuration: configuration)) }
            // Those decided longest ago go first.
            if entries.count > Self.maximumEntries { entries.removeFirst(entries.count - Self.maximumEntries) }
            return configuration
        }
    }

    /// Forgets what was decided about models that are gone.
    package func forget(modelIDs: Set<String>) throws {
        try locked { $0.removeAll { modelIDs.contains($0.modelID) } }
    }

    private func locked<R>(_ body: (inout [Entry]) throws -> R) throws -> R {
        // Two daemons may share a home, each with a socket of its own.
        let lock = try path.map { path in
            try Files.makeDirectory(path.removingLastComponent(), mode: 0o700)
            return try FileLock.acquire(FilePath(path.string + ".lock"))
        }
        defer { withExtendedLifetime(lock) {} }
        return try state.withLock { state in
            let before = try current(&state)
            var entries = before
            let result = try body(&entries)
            guard entries != before else { return result }
            if let path { try Files.write(Self.document(entries).bytes, to: path, mode: 0o600) }
            state.entries = entries
            state.stamp = currentStamp
            state.revision += 1
            return result
        }
    }

    private func current(_ state: inout State) throws -> [Entry] {
        guard let path else { return state.entries }
        let stamp = currentStamp
        guard stamp != state.stamp else { return state.entries }
        state.entries = stamp == nil ? [] : try Self.parse(path)
        state.stamp = stamp
        state.revision += 1
        return state.entries
    }

    private var currentStamp: Stamp? {
        guard let path, let status = try? POSIX.status(path) else { return nil }
        return Stamp(
            inode: status.inode, modified: status.modified, nanoseconds: status.modifiedNanoseconds, size: status.size)
    }

    private static func place(of id: String, _ names: [String], in entries: [Entry]) -> Int? {
        entries.firstIndex { $0.modelID == id } ?? entries.firstIndex { !Set($0.names).isDisjoint(with: names) }
    }

    private static func parse(_ path: FilePath) throws -> [Entry] {
        do {
            let json = try JSON(parsing: Files.read(path, limit: maximumSize))
            guard json["version"]?.int == 1, let models = json["models"]?.array else {
                throw Failure(.corrupted, "it is no list of models of version 1")
            }
            return try models.prefix(maximumEntries).map { model in
                guard let id = model["id"]?.string, let configuration = model["config"] else {
                    throw Failure(.corrupted, "an entry has no id or no config")
                }
                return Entry(
                    modelID: id, names: (model["names"]?.array ?? []).compactMap(\.string),
                    configuration: try ModelConfiguration().merging(configuration))
            }
        } catch let failure as Failure {
            throw Failure(
                .corrupted, "cannot understand \(path)", cause: failure,
                advice: "Correct it, or remove it and configure the models again.")
        }
    }

    private static func document(_ entries: [Entry]) -> JSON {
        [
            "version": 1,
            "models": .array(
                entries.map { entry in
                    [
                        "id": .string(entry.modelID), "names": .array(entry.names.map { .string($0) }),
                        "config": entry.configuration.json,
                    ]
                }),
        ]
    }
}
