internal import Core
package import NIOCore
internal import OCI

extension ModelStore {
    private static let maximumEntries = Manifest.maximumLayers + 64

    /// Takes in a model from an archive as `ModelArchive` and Docker's own runner write it, never holding a file of it
    /// in memory. The model gets the name in the archive, where there is one, from whoever had it.
    ///
    /// - Returns: the model, and that name.
    /// - Throws: `.corrupted` for an archive that is cut off, has wrong bytes, lacks a file or has one that its manifest
    ///   does not name; `.unsupported` for links and for what is no model; `.resourceExhausted` on a full disk. Nothing
    ///   of it stays then.
    @discardableResult
    package func load<Archive: AsyncSequence>(_ archive: Archive) async throws -> (model: Model, tag: String?)
    where Archive.Element == ByteBuffer {
        var intake = Intake(store: self)
        do {
            var tar = TarStream(archive.makeAsyncIterator())
            var count = 0
            while let entry = try await tar.entry() {
                count += 1
                guard count <= Self.maximumEntries else {
                    throw Failure(.corrupted, "the archive has too many entries")
                }
                try await intake.take(entry, from: &tar)
            }
            return (try await intake.register(), intake.tag)
        } catch {
            try? discard(intake.added, manifest: intake.manifest?.digest)
            if error is CancellationError { throw error }
            throw Failure.wrapping(error, "cannot load the model")
        }
    }

    /// Removes what a load that failed has stored, unless a model needs it.
    private func discard(_ added: [Digest], manifest: Digest?) throws {
        try change { index in
            let needed = try Set(index.entries.flatMap(\.files)).union(leased())
            for blob in added where !needed.contains(blob) { try blobs.remove(blob) }
            if let manifest, index.entry(with: manifest) == nil { try manifests.remove(manifest) }
        }
    }
}

/// What has come of one archive so far.
private struct Intake {
    let store: ModelStore
    private var announced = Set<Digest>()
    /// Blobs that were not there before.
    private(set) var added: [Digest] = []
    private(set) var manifest: Manifest?
    /// The canonical name it gets.
    private(set) var tag: String?

    init(store: ModelStore) { self.store = store }

    mutating func take<Chunks>(_ entry: Tar.Entry, from tar: inout TarStream<Chunks>) async throws {
        var name = entry.name[...]
        if name.hasPrefix("./") { name = name.dropFirst(2) }
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        if entry.isDirectory {
            guard !parts.contains(".."), !name.hasPrefix("/") else { throw Self.stranger(entry) }
            return
        }
        guard manifest == nil else { throw Failure(.corrupted, "the archive goes on after its manifest") }
        if name == ModelArchive.manifestName {
            try await takeManifest(entry, from: &tar)
        } else if parts.count == 3, parts[0] == "blobs", let digest = try? Digest(parsing: "\(parts[1]):\(parts[2])") {
            announced.insert(digest)
            // What is there has been verified when it was stored.
            if store.blobs.contains(digest, size: entry.size) { return }
            var ingest = try Ingest(into: store.blobs, expecting: (digest, entry.size))
            while let bytes = try await tar.data() {
                try Task.checkCancellation()
                try ingest.write(bytes)
            }
            let isNew = !store.blobs.contains(digest)
            try await ingest.commit()
            if isNew { added.append(digest) }
        } else {
            throw Self.stranger(entry)
        }
    }

    private mutating func takeManifest<Chunks>(
        _ entry: Tar.Entry, from tar: inout TarStream<Chunks>
    ) async throws {
        guard entry.size <= Manifest.maximumBytes else { throw Failure(.corrupted, "the manifest is too large") }
        var bytes = ByteBuffer()
        while let more = try await tar.data() { bytes.writeImmutableBuffer(more) }
        let manifest = try Manifest(parsing: bytes)
        try ModelStore.requireModel(manifest, "the archive's content")
        try BundlePlan.check(manifest)
        self.manifest = manifest
        tag = try ModelArchive.tag(in: entry).map { try ModelStore.tagName(ModelReference(parsing: $0)) }
    }

    /// Makes the model known, when all of it has come and nothing else.
    func register() async throws -> Model {
        guard let manifest else {
            throw Failure(
                .corrupted, "the archive has no \(ModelArchive.manifestName): it is cut off, or holds no model")
        }
        let files = manifest.layers + [manifest.config]
        let strangers = announced.subtracting(files.map(\.digest)).sorted()
        guard strangers.isEmpty else {
            throw Failure(.corrupted, "the archive has \(strangers[0]), which its manifest does not name")
        }
        if let missing = files.first(where: { !store.blobs.contains($0.digest, size: $0.size) }) {
            throw Failure(.corrupted, "the archive lacks \(missing.digest), or it has another size")
        }
        _ = try ModelConfig(parsing: store.blobs.read(manifest.config.digest))
        try await store.checkContent(manifest)
        guard let model = try store.register(manifest, tag: tag) else {
            throw Failure(
                .conflict, "its files are removed while it is loaded",
                advice: "Load it again when no other process removes models.")
        }
        return model
    }

    private static func stranger(_ entry: Tar.Entry) -> Failure {
        Failure(
            .corrupted, "\"\(entry.name.prefix(200))\" does not belong into a model's archive",
            advice: "Only archives that `docker model save` writes can be loaded.")
    }
}
