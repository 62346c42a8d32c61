import Core
import NIOCore
import OCI
import SystemPackage
import Testing

@testable import ModelStore

@Suite struct ArchiveTests {
    private func pack(_ store: ModelStore, _ name: String = "pebble") async throws -> Model {
        try await store.package(gguf: pebble, as: ModelReference(parsing: name), created: someTime)
    }

    private func saved(_ name: String = "pebble") async throws -> ByteBuffer {
        try await withStore { store in
            _ = try await pack(store)
            return try await bytes(store.archive(of: name))
        }
    }

    private func bytes(_ archive: ModelArchive) async throws -> ByteBuffer {
        var bytes = ByteBuffer()
        for try await chunk in archive { bytes.writeImmutableBuffer(chunk) }
        #expect(Int64(bytes.readableBytes) == archive.size)
        return bytes
    }

    private struct Pieces: AsyncSequence {
        let bytes: ByteBuffer
        var failure: (any Error)?

        func makeAsyncIterator() -> Iterator { Iterator(rest: bytes, failure: failure) }

        struct Iterator: AsyncIteratorProtocol {
            var rest: ByteBuffer
            let failure: (any Error)?

            mutating func next() async throws -> ByteBuffer? {
                guard rest.readableBytes > 0 else {
                    if let failure { throw failure }
                    return nil
                }
                return rest.readSlice(length: Swift.min(10_000, rest.readableBytes))
            }
        }
    }

    private func expectNothing(in store: ModelStore, _ what: Comment? = nil) throws {
        #expect(try files(store.root) == ["layout.json"], what)
    }

    @Test func aModelComesBackWithItsIDAndName() async throws {
        let archive = try await saved()
        try await withStore { store in
            let (model, tag) = try await store.load(Pieces(bytes: archive))
            #expect(tag == "docker.io/ai/pebble:latest" && model.tags == [tag])
            #expect(try Files.read(store.blobs.path(of: model.manifest.layers[0].digest)) == Files.read(pebble))
            // The same bytes again, and a second load changes nothing.
            #expect(try await bytes(store.archive(of: "pebble")) == archive)
            #expect(try await store.load(Pieces(bytes: archive)).model == model)
            let original = try await withStore { try await pack($0).id }
            #expect(model.id == original)
        }
    }

    @Test func anIDKeepsNoName() async throws {
        let id = try await withStore { try await pack($0).id }
        let archive = try await saved(id.short)
        try await withStore { store in
            let (model, tag) = try await store.load(Pieces(bytes: archive))
            #expect(tag == nil && model.tags == [] && model.id == id)
        }
    }

    @Test func aChangedBlobIsNotSaved() async throws {
        try await withStore { store in
            let model = try await pack(store)
            var content = try Files.read(pebble)
            content.setInteger(UInt8(0xEE), at: 700_000)
            try Files.write(content, to: store.blobs.path(of: model.manifest.layers[0].digest))
            await #expect(throws: Failure.self) { try await bytes(store.archive(of: "pebble")) }
        }
    }

    @Test func cutsLeaveNothing() async throws {
        let archive = try await saved()
        let size = archive.readableBytes
        for length in [0, 100, 512, 1536, 2048, 600_000, size - 1024 - 1024, size - 1536] {
            try await withStore { store in
                let cut = try #require(archive.getSlice(at: 0, length: length))
                await #expect(throws: Failure.self, "\(length)") { try await store.load(Pieces(bytes: cut)) }
                try expectNothing(in: store, "\(length)")
            }
        }
    }

    @Test func aWrongByteAnywhereInABlobLeavesNothing() async throws {
        var archive = try await saved()
        archive.setInteger(UInt8(0xEE), at: 700_000)
        let bad = archive
        try await withStore { store in
            await #expect(throws: Failure.self) { try await store.load(Pieces(bytes: bad)) }
            try expectNothing(in: store)
        }
    }

    /// As when the disk is full, or the client goes away, after the first blobs.
    @Test func aFailureOnTheWayLeavesNothingButWhatWasThere() async throws {
        let archive = try await saved()
        let most = try #require(archive.getSlice(at: 0, length: archive.readableBytes - 3000))
        try await withStore { store in
            let failure = Failure(.resourceExhausted, "no space")
            let error = await #expect(throws: Failure.self) {
                try await store.load(Pieces(bytes: most, failure: failure))
            }
            #expect(error?.code == .resourceExhausted)
            try expectNothing(in: store)
            _ = try await pack(store)
            let before = try files(store.root)
            await #expect(throws: Failure.self) { try await store.load(Pieces(bytes: most, failure: failure)) }
            #expect(try files(store.root) == before)
        }
    }

    private func archive(_ entries: [(name: String, content: ByteBuffer)]) -> ByteBuffer {
        var bytes = ByteBuffer()
        for (name, content) in entries {
            let size = Int64(content.readableBytes)
            bytes.writeImmutableBuffer(Tar.head(Tar.Entry(name: name, size: size)))
            bytes.writeImmutableBuffer(content)
            bytes.writeImmutableBuffer(Tar.padding(after: size))
        }
        bytes.writeImmutableBuffer(Tar.end)
        return bytes
    }

    @Test func strangersAreRefused() async throws {
        let (manifest, config, weights) = try await withStore { store in
            let model = try await pack(store)
            return (model.manifest, try store.blobs.read(model.manifest.config.digest), try Files.read(pebble))
        }
        func blob(_ bytes: ByteBuffer) -> (name: String, content: ByteBuffer) {
            ("blobs/sha256/\(Digest.sha256(of: bytes).hex)", bytes)
        }
        let last = (name: "manifest.json", content: manifest.raw)
        let text = ByteBuffer(string: "x")
        let image = Manifest(
            config: Descriptor(
                mediaType: "application/vnd.oci.image.config.v1+json", digest: manifest.config.digest,
                size: manifest.config.size), layers: [])
        let cases: [(String, [(name: String, content: ByteBuffer)])] = [
            ("a path out", [("../../escape", text), blob(weights), blob(config), last]),
            ("an absolute path", [("/tmp/escape", text), last]),
            ("a path within", [("blobs/sha256/../../../escape", text), last]),
            ("another file", [blob(weights), blob(config), ("readme.txt", text), last]),
            ("an unannounced blob", [blob(weights), blob(config), blob(text), last]),
            ("a missing blob", [blob(config), last]),
            ("no manifest", [blob(weights), blob(config)]),
            ("two manifests", [blob(weights), blob(config), last, last]),
            ("a blob after the manifest", [blob(config), last, blob(weights)]),
            ("a manifest of nonsense", [blob(weights), blob(config), ("manifest.json", text)]),
            ("no model", [blob(config), ("manifest.json", image.raw)]),
            ("the wrong name", [("blobs/sha256/\(Digest.sha256(of: text).hex)", weights), blob(config), last]),
        ]
        for (what, entries) in cases {
            try await withStore { store in
                await #expect(throws: Failure.self, "\(what)") { try await store.load(Pieces(bytes: archive(entries))) }
                try expectNothing(in: store, "\(what)")
            }
        }
        try await withStore { store in
            // What Docker's own runner writes: no name.
            let (model, tag) = try await store.load(Pieces(bytes: archive([blob(weights), blob(config), last])))
            #expect(tag == nil && model.id == manifest.digest)
        }
    }

    @Test func filesWithSeveralNamesTakeSpaceOnce() async throws {
        try await withStore { store in
            let model = try await pack(store)
            let before = store.diskUsage
            #expect(before > model.size && before < model.size + 10_000)
            _ = try store.bundle(for: model)
            // The bundle adds its small configuration only.
            #expect(store.diskUsage - before < 10_000)
        }
    }
}
