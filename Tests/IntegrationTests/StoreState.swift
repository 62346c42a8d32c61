import Core
import ModelStore
import NIOCore
import OCI
import SystemPackage
import Testing

/// What a store holds, looked at from outside and checked byte by byte.
struct StoreState: Hashable, Sendable {
    /// The names, by the ids of the models that have them.
    let models: [String: [String]]
    /// The files, but for those of Wharf's own.
    let files: [String]

    /// The files but for the index, which an empty store may have or not.
    var contents: [String] { files.filter { $0 != "models.json" } }

    /// - Throws: where the index cannot be read, or names a file that is missing or has other bytes.
    init(of root: FilePath) throws {
        let store = try ModelStore(root: root)
        let listed = (try? JSON(parsing: Files.read(root.appending("models.json"))))?["models"]?.array ?? []
        var models: [String: [String]] = [:]
        for model in try store.models() {
            models[model.id.description] = model.tags.sorted()
            for file in model.manifest.layers + [model.manifest.config] {
                let bytes = try BlobStore(root: root).read(file.digest, limit: 64 << 20)
                try #require(bytes.readableBytes == Int(file.size))
            }
        }
        // `models()` leaves out what is damaged.
        try #require(models.count == listed.count)
        self.models = models
        files = try Self.files(root).sorted()
    }

    private static func files(_ folder: FilePath) throws -> [String] {
        try POSIX.list(folder).flatMap { name -> [String] in
            let path = folder.appending(name)
            guard try POSIX.status(path).isDirectory else { return name.hasPrefix(".wharf") ? [] : [name] }
            return try name.hasPrefix(".wharf") ? [] : files(path).map { "\(name)/\($0)" }
        }
    }

    /// The state after everything has been removed that no model needs, as if a day had passed.
    static func pruned(_ root: FilePath) throws -> StoreState {
        _ = try ModelStore(root: root).prune(now: Timestamp(seconds: Timestamp.now.seconds + 25 * 3600))
        return try StoreState(of: root)
    }
}
