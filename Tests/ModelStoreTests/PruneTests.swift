import Core
import NIOCore
import OCI
import SystemPackage
import Testing

@testable import ModelStore

@Suite struct PruneTests {
    private static let later = Timestamp(seconds: Timestamp.now.seconds + 2 * 3600)
    private static let nextDay = Timestamp(seconds: Timestamp.now.seconds + 25 * 3600)

    private func pack(_ store: ModelStore, _ name: String) async throws -> Model {
        try await store.package(gguf: pebble, as: ModelReference(parsing: name), created: someTime)
    }

    private func write(_ text: String, _ path: String, in store: ModelStore) throws -> FilePath {
        let path = path.split(separator: "/").reduce(store.root) { $0.appending(String($1)) }
        try Files.makeDirectory(path.removingLastComponent())
        try Files.write(ByteBuffer(string: text), to: path)
        return path
    }

    @Test func whatModelsNeedStays() async throws {
        try await withStore { store in
            let model = try await pack(store, "x")
            _ = try store.bundle(for: model)
            let before = try files(store.root)
            let pruned = try store.prune(now: Self.nextDay)
            #expect(pruned == .init())
            let after = try files(store.root)
            #expect(after == before)
        }
    }

    @Test func whatNobodyNeedsGoesWhenItIsOldEnough() async throws {
        try await withStore { store in
            let model = try await pack(store, "x")
            let kept = try files(store.root)
            let blob = try store.blobs.store(ByteBuffer(string: "nobody's"))
            let manifest = try store.manifests.store(ByteBuffer(string: "{}"))
            let bundle = Digest.sha256(of: ByteBuffer(string: "gone"))
            _ = try write("12345", "bundles/sha256/\(bundle.hex)/model/model.gguf", in: store)
            _ = try write("x", "blobs/sha256/\(blob.hex).abc.incomplete", in: store)
            _ = try write("x", ".models.json.abc.tmp", in: store)
            _ = try write("x", "bundles/sha256/.abc.def.tmp/model/model.gguf", in: store)
            _ = try write("mine", "notes.txt", in: store)

            // A folder without its model is of no use to anybody; the rest may be on its way to a model.
            let soon = try store.prune()
            #expect(soon.deleted == [bundle] && soon.leftovers == 0)
            let pruned = try store.prune(now: Self.later)
            #expect(Set(pruned.deleted) == [blob, manifest])
            #expect(pruned.leftovers == 2 && pruned.bytes == 8 + 2 + 2)
            let last = try store.prune(now: Self.nextDay)
            #expect(last.deleted.isEmpty && last.leftovers == 1)
            let after = try files(store.root)
            #expect(Set(after) == Set(kept + ["notes.txt"]))
            #expect(try store.model(named: "x").id == model.id)
        }
    }

    @Test func whatIsLeasedStays() async throws {
        try await withStore { store in
            let blob = try store.blobs.store(ByteBuffer(string: "on its way"))
            let other = try ModelStore(root: store.root)
            var lease: BlobLease? = try other.lease([blob])
            #expect(try store.prune(now: Self.nextDay) == .init())
            let failure = #expect(throws: Failure.self) { try store.purge() }
            #expect(failure?.code == .conflict)
            withExtendedLifetime(lease) {}
            lease = nil
            #expect(try store.prune(now: Self.nextDay).deleted == [blob])
        }
    }

    /// A process that dies leaves its file, but not its lock.
    @Test func aDeadProcessLeasesNothing() async throws {
        try await withStore { store in
            let blob = try store.blobs.store(ByteBuffer(string: "on its way"))
            let file = try write("\(blob)\n", ".wharf.leases/1-dead", in: store)
            #expect(try store.prune(now: Self.nextDay).deleted == [blob])
            #expect(!Files.exists(file))
        }
    }

    /// `rm` must not take a blob from under a pull either.
    @Test func removingAModelLeavesWhatIsLeased() async throws {
        try await withStore { store in
            let model = try await pack(store, "x")
            let layer = try #require(model.manifest.layers.first).digest
            let lease = try store.lease([layer])
            try store.remove(named: "x")
            #expect(store.blobs.contains(layer) && !store.blobs.contains(model.manifest.config.digest))
            withExtendedLifetime(lease) {}
        }
    }

    @Test func aLockedDownloadStays() async throws {
        try await withStore { store in
            let file = try write("x", "blobs/sha256/abc.incomplete", in: store)
            let lock = try FileLock.acquire(file)
            #expect(try store.prune(now: Self.nextDay) == .init())
            #expect(throws: Failure.self) { try store.purge() }
            #expect(Files.exists(file))
            withExtendedLifetime(lock) {}
        }
    }

    @Test func withoutAListNothingIsRemoved() async throws {
        try await withStore { store in
            _ = try await pack(store, "x")
            let before = try files(store.root)
            try Files.remove(store.root.appending("models.json"))
            let failure = #expect(throws: Failure.self) { try store.prune(now: Self.nextDay) }
            #expect(failure?.code == .failedPrecondition)
            try Files.write(ByteBuffer(string: "{\"models\":"), to: store.root.appending("models.json"))
            let damaged = #expect(throws: Failure.self) { try store.prune(now: Self.nextDay) }
            #expect(damaged?.code == .corrupted)
            let after = try files(store.root)
            #expect(after == before)
            // The way out that the message names: nothing is written again that is there.
            try Files.remove(store.root.appending("models.json"))
            _ = try await pack(store, "x")
            let whole = try files(store.root)
            #expect(whole == before)
        }
    }

    @Test(arguments: [nil, "{\"models\":", "{\"models\":[{\"id\":7}]}"]) func purgeLeavesAnEmptyStore(
        _ index: String?
    ) async throws {
        try await withStore { store in
            let model = try await pack(store, "x")
            _ = try store.bundle(for: model)
            _ = try write("mine", "notes.txt", in: store)
            _ = try write("x", ".models.json.abc.tmp", in: store)
            if let index { _ = try write(index, "models.json", in: store) }
            try store.purge()
            let after = try files(store.root)
            #expect(Set(after) == ["layout.json", "models.json", "notes.txt"])
            #expect(try store.models().isEmpty)
            #expect(try await pack(store, "x").id == model.id)
        }
    }

    @Test func purgeRefusesWhatMayBeNoStore() async throws {
        try await withStore { store in
            _ = try await pack(store, "x")
            try Files.remove(store.root.appending("layout.json"))
            let before = try files(store.root)
            let failure = #expect(throws: Failure.self) { try store.purge() }
            #expect(failure?.code == .failedPrecondition)
            let after = try files(store.root)
            #expect(after == before)
        }
    }
}
