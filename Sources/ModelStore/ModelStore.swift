internal import Core
internal import NIOCore
internal import OCI
internal import Synchronization
package import SystemPackage

/// The models on this machine, in the folder layout Docker Model Runner uses, so that both can share it.
///
/// Several processes may use one folder: the index is changed under a lock and read again when it has changed.
package final class ModelStore: Sendable {
    package let root: FilePath
    let blobs: BlobStore
    let manifests: BlobStore
    private let cache = Mutex(Cache())

    private struct Cache {
        var stamp: Stamp?
        var index = StoreIndex()
        /// Grows with every new index.
        var revision = 0
        /// Made of the index when somebody asks for a name.
        var lookup: StoreLookup?
        /// Manifests and configurations never change under their digest.
        var contents: [Digest: Contents] = [:]
        /// What names stood for and where bundles were, while this index holds: every request asks for both.
        var names: [String: Model] = [:]
        var bundles: [Digest: (bundle: Bundle, inode: UInt64)] = [:]
    }

    /// Names that are remembered; they are the clients' to choose.
    private static let maximumNames = 1024

    private struct Contents {
        let manifest: Manifest
        let config: ModelConfig
        let customization: Customization
    }

    /// What of a file changes when it is written anew.
    private struct Stamp: Equatable {
        let inode: UInt64
        let size, modified, nanoseconds: Int64

        init(_ status: POSIX.Status) {
            (inode, size) = (status.inode, status.size)
            (modified, nanoseconds) = (status.modified, status.modifiedNanoseconds)
        }
    }

    /// Opens a store, and makes it where there is none.
    ///
    /// - Throws: `.unsupported` when a newer or unknown kind of store is there.
    package init(root: FilePath) throws {
        self.root = root
        blobs = BlobStore(root: root)
        manifests = BlobStore(root: root, folder: "manifests")
        try Files.makeDirectory(root)
        let layout = root.appending("layout.json")
        if Files.exists(layout) {
            let version = (try? JSON(parsing: Files.read(layout, limit: 64 << 10)))?["version"]?.string
            guard version == Self.layoutVersion else {
                throw Failure(
                    .unsupported,
                    "the model store \(root) has the layout \(version ?? "of something else"), not \(Self.layoutVersion)",
                    advice: "Use another folder with MODELS_PATH or --models-path")
            }
        } else {
            let document: JSON = ["version": .string(Self.layoutVersion)]
            try Files.write(document.bytes, to: layout)
        }
        sweepOldDownloads()
    }

    private static let layoutVersion = "1.0.0"

    /// All models, in the order they came. One whose files are damaged is left out; asking for it by name tells why.
    package func models() throws -> [Model] {
        try index().entries.compactMap { try? model($0) }
    }

    /// The model a tag, a digest or an id (12 or 64 digits) stands for.
    ///
    /// - Parameter partial: whether the last part of a name is enough.
    /// - Throws: `.notFound`; `.invalidArgument` for what is no name; `.corrupted` when its files are damaged.
    package func model(named name: String, partial: Bool = true) throws -> Model {
        let stamp = currentStamp
        if let known = cache.withLock({ $0.stamp == stamp && stamp != nil ? $0.names[name] : nil }), partial {
            return known
        }
        let model = try find(name, partial: partial)
        cache.withLock { cache in
            guard cache.stamp == stamp, partial else { return }
            if cache.names.count >= Self.maximumNames { cache.names = [:] }
            cache.names[name] = model
        }
        return model
    }

    private func find(_ name: String, partial: Bool) throws -> Model {
        let lookup = try lookup()
        let reference = try ModelReference(parsing: name)
        if let entry = lookup.entry(for: reference) { return try model(entry) }
        guard partial, let entry = try lookup.entry(partial: name) else {
            throw Self.notFound(name, near: lookup.index.entries(partial: name))
        }
        return try model(entry)
    }

    /// - Parameter near: what was perhaps meant, where a whole name is wanted.
    static func notFound(_ name: String, near: [StoreIndex.Entry] = []) -> Failure {
        let meant = near.prefix(5).compactMap(\.tags.first).map { ModelReference.display($0) }
        return Failure(
            .notFound, "model not found: \(name)",
            advice: meant.isEmpty
                ? "List the models there are with: docker model ls" : "Did you mean \(meant.joined(separator: " or "))?"
        )
    }

    func model(_ entry: StoreIndex.Entry) throws -> Model {
        let known = cache.withLock { $0.contents[entry.id] }
        let contents = try known ?? load(entry)
        return Model(
            id: entry.id, tags: entry.tags, manifest: contents.manifest, config: contents.config,
            customization: contents.customization)
    }

    private func load(_ entry: StoreIndex.Entry) throws -> Contents {
        do {
            let manifest = try Manifest(parsing: manifests.read(entry.id))
            let customization = try Customization(manifest, in: blobs)
            var config = try completed(ModelConfig(parsing: blobs.read(manifest.config.digest)), manifest)
            if config.contextSize == nil { config.contextSize = customization.parameters.contextSize }
            if config.created.seconds == 0, let status = try? POSIX.status(manifests.path(of: entry.id)) {
                // Ollama's configurations have no time; when the model came is the next best.
                config.created = Timestamp(seconds: status.modified)
            }
            let contents = Contents(manifest: manifest, config: config, customization: customization)
            cache.withLock { $0.contents[entry.id] = contents }
            return contents
        } catch let failure as Failure {
            throw Failure(
                .corrupted, "the stored model \(entry.tags.first ?? entry.id.short) is damaged", cause: failure,
                advice: "Remove it with docker model rm and pull it again")
        }
    }

    private func completed(_ config: ModelConfig, _ manifest: Manifest) -> ModelConfig {
        let config = config.completed(from: manifest)
        guard config.gguf.isEmpty,
            let weights = manifest.layers.first(where: { $0.kind == .weights(.gguf) }),
            let file = try? GGUF(reading: blobs.path(of: weights.digest))
        else { return config }
        return config.completed(from: file)
    }

    /// The index as it is now.
    ///
    /// Asking for the file's state is all it takes while nobody changes it.
    func index() throws -> StoreIndex {
        let stamp = currentStamp
        let known = cache.withLock { $0.stamp == stamp ? $0.index : nil }
        return try known ?? readIndex()
    }

    private func lookup() throws -> StoreLookup {
        let stamp = currentStamp
        let known = cache.withLock { $0.stamp == stamp ? $0.lookup : nil }
        if let known { return known }
        let lookup = StoreLookup(try index())
        // Another task may have gone on to a newer index meanwhile; its ways are its own.
        cache.withLock { if $0.index == lookup.index { $0.lookup = lookup } }
        return lookup
    }

    /// Another one whenever a name may stand for something else; as of the last look at a model.
    package var revision: Int { cache.withLock { $0.revision } }

    private var currentStamp: Stamp? { (try? POSIX.status(indexPath)).map { Stamp($0) } }

    /// Where a bundle was found since the index has changed last, if its weights are still the same file.
    func knownBundle(_ id: Digest) -> Bundle? {
        let stamp = currentStamp
        guard let known = cache.withLock({ $0.stamp == stamp ? $0.bundles[id] : nil }),
            (try? POSIX.status(known.bundle.weights, following: false))?.inode == known.inode
        else { return nil }
        return known.bundle
    }

    func remember(_ bundle: Bundle, of id: Digest) {
        guard let status = try? POSIX.status(bundle.weights, following: false) else { return }
        cache.withLock { $0.bundles[id] = (bundle, status.inode) }
    }

    private func readIndex() throws -> StoreIndex {
        // The stamp is taken first: a change in between makes it old, and the next look reads again.
        guard let status = try? POSIX.status(indexPath) else {
            remember(StoreIndex(), nil)
            return StoreIndex()
        }
        do {
            let index = try StoreIndex(parsing: try Files.read(indexPath, limit: 64 << 20))
            remember(index, Stamp(status))
            return index
        } catch let failure as Failure where failure.code != .notFound {
            throw Failure(
                .corrupted, "cannot understand \(indexPath)", cause: failure,
                advice: "Move it away and pull the models again: their files stay, and are not downloaded anew")
        }
    }

    private func remember(_ index: StoreIndex, _ stamp: Stamp?) {
        cache.withLock { cache in
            if cache.index != index { cache.lookup = nil }
            if cache.stamp != stamp {
                (cache.names, cache.bundles) = ([:], [:])
                cache.revision += 1
            }
            cache.index = index
            cache.stamp = stamp
            let ids = Set(index.entries.map(\.id))
            cache.contents = cache.contents.filter { ids.contains($0.key) }
        }
    }

    var indexPath: FilePath { root.appending("models.json") }

    /// Changes the index while nobody else can, in this process or another; writes it last and only if it changed.
    ///
    /// For short work only: it waits for the lock without giving its thread away.
    func change<R>(_ body: (inout StoreIndex) throws -> R) throws -> R {
        try locked {
            let before = try readIndex()
            var index = before
            let result = try body(&index)
            if index != before {
                try Files.write(index.bytes, to: indexPath)
                remember(index, currentStamp)
            }
            return result
        }
    }

    /// The same without a look at the index, which may be damaged.
    func locked<R>(_ body: () throws -> R) throws -> R {
        let lock = try FileLock.acquire(root.appending(".wharf.lock"))
        defer { withExtendedLifetime(lock) {} }
        return try body()
    }
}
