import Core
import NIOCore
import OCI
import SystemPackage
import TestSupport
import Testing

@testable import ModelStore

@Suite struct ImportTests {
    private func write(_ bytes: ByteBuffer, _ path: String, in folder: FilePath) throws {
        let path = path.split(separator: "/").reduce(folder) { $0.appending(String($1)) }
        try Files.makeDirectory(path.removingLastComponent())
        try Files.write(bytes, to: path)
    }

    /// As Ollama lays its models out.
    private func ollama(_ folder: FilePath, name: String, extra: [(String, ByteBuffer)] = []) throws {
        let layers = [("model", try Files.read(pebble)), ("license", ByteBuffer(string: "MIT"))] + extra
        let descriptors: [JSON] = try layers.map { kind, bytes in
            let digest = Digest.sha256(of: bytes)
            try write(bytes, "blobs/sha256-\(digest.hex)", in: folder)
            return [
                "mediaType": .string("application/vnd.ollama.image.\(kind)"), "digest": .string(digest.description),
                "size": .int(bytes.readableBytes),
            ]
        }
        let config = ByteBuffer(
            string: #"{"model_format":"gguf","model_family":"llama","model_type":"1.1M","file_type":"Q8_0"}"#)
        let digest = Digest.sha256(of: config)
        try write(config, "blobs/sha256-\(digest.hex)", in: folder)
        let manifest: JSON = [
            "schemaVersion": 2, "mediaType": .string(MediaType.dockerManifest),
            "config": [
                "mediaType": "application/vnd.docker.container.image.v1+json", "digest": .string(digest.description),
                "size": .int(config.readableBytes),
            ],
            "layers": .array(descriptors),
        ]
        try write(manifest.bytes, "manifests/\(name)", in: folder)
    }

    @Test func takesOllamasModelsOver() async throws {
        try await withTemporaryDirectory { folder in
            try ollama(
                folder, name: "registry.ollama.ai/library/pebble/1m",
                extra: [
                    ("template", ByteBuffer(string: "{{ . }}")), ("system", ByteBuffer(string: "Be kind.")),
                ])
            try write(ByteBuffer(string: "{}"), "manifests/hf.co/Org/Repo/Q8_0", in: folder)
            try await withStore { store in
                let all = try OllamaCache.models(in: folder)
                #expect(all.models.map(\.name.canonical) == ["registry.ollama.ai/library/pebble:1m"])
                #expect(all.problems.map { $0.hasPrefix("hf.co/Org/Repo:Q8_0: ") } == [true])
                let foreign = try #require(try all.named(["pebble:1m"]).models.first)
                let imported = try await store.take(foreign)
                #expect(imported.copied == 0 && imported.linked == foreign.size)
                #expect(imported.model.config.quantization == "Q8_0")
                // Its own manifest, byte for byte, so that nothing of it is lost.
                let own = try Files.read(folder.appending("manifests/registry.ollama.ai/library/pebble/1m"))
                #expect(imported.model.manifest.raw == own)
                #expect(imported.model.customization.system == "Be kind.")
                let weights = try #require(imported.model.manifest.layers.first)
                #expect(try POSIX.status(store.blobs.path(of: weights.digest)).links == 2)
                #expect(Files.exists(try store.bundle(for: imported.model).weights))
                let before = try files(store.root)
                #expect(try await store.take(foreign).model.id == imported.model.id)
                let after = try files(store.root)
                #expect(after == before)
                // The other tool keeps its own.
                try store.remove(named: "registry.ollama.ai/library/pebble:1m")
                #expect(try OllamaCache.models(in: folder).models.count == 1)
            }
        }
    }

    @Test func aChangedFileIsNotTakenOver() async throws {
        try await withTemporaryDirectory { folder in
            try ollama(folder, name: "registry.ollama.ai/library/pebble/latest")
            let foreign = try #require(try OllamaCache.models(in: folder).models.first)
            let blob = folder.appending("blobs/sha256-\(try Digest.sha256(of: Files.read(pebble)).hex)")
            var bytes = try Files.read(blob)
            bytes.setInteger(UInt8(0xFF), at: bytes.readableBytes - 1)
            bytes.setInteger(UInt8(0xFE), at: bytes.readableBytes - 2)
            try Files.write(bytes, to: blob)
            try await withStore { store in
                let failure = await #expect(throws: Failure.self) { try await store.take(foreign) }
                #expect(failure?.code == .corrupted)
                let kept = try files(store.root)
                #expect(kept == ["layout.json"])
            }
        }
    }

    /// As Hugging Face's tools lay a repository out: links in a snapshot lead to blobs named by their digests.
    private func huggingFace(_ folder: FilePath, _ files: [(String, ByteBuffer)]) throws {
        let repository = folder.appending("models--Org--Re--po")
        let snapshot = repository.appending("snapshots").appending(Self.commit)
        try write(ByteBuffer(string: Self.commit), "refs/main", in: repository)
        try Files.makeDirectory(snapshot)
        for (name, bytes) in files {
            let blob = bytes.readableBytes > 1000 ? Digest.sha256(of: bytes).hex : FakeHub.gitID(bytes)
            try write(bytes, "blobs/\(blob)", in: repository)
            try POSIX.symbolicLink(at: snapshot.appending(name), to: FilePath("../../blobs/\(blob)"))
        }
    }

    private static let commit = "0123456789012345678901234567890123456789"

    @Test func takesACachedRepositoryOver() async throws {
        try await withTemporaryDirectory { folder in
            try huggingFace(
                folder,
                [
                    ("pebble-Q8_0.gguf", try Files.read(pebble)),
                    ("chat_template.jinja", ByteBuffer(string: "{{ x }}")),
                    ("README.md", ByteBuffer(string: "hello")),
                ])
            try await withStore { store in
                let all = try HuggingFaceCache.models(in: folder)
                #expect(all.problems.isEmpty)
                let foreign = try #require(try all.named(["hf.co/org/re--po:q8_0"]).models.first)
                let model = try await store.take(foreign).model
                #expect(model.tags == ["huggingface.co/org/re--po:Q8_0"])
                #expect(model.manifest.layers.map(\.mediaType) == [MediaType.gguf, MediaType.chatTemplate])
                #expect(ModelAssembly.Origin(of: model.manifest)?.revision == Self.commit)
            }
        }
    }

    @Test func aLinkOutOfTheCacheIsRefused() async throws {
        try await withTemporaryDirectory { folder in
            try huggingFace(folder, [])
            let snapshot = folder.appending("models--Org--Re--po/snapshots/\(Self.commit)")
            try Files.makeDirectory(folder.appending("models--Org--Re--po/blobs"))
            try POSIX.symbolicLink(at: snapshot.appending("x.gguf"), to: pebble)
            let all = try HuggingFaceCache.models(in: folder)
            #expect(all.models.isEmpty)
            #expect(all.problems.count == 1 && all.problems[0].contains("does not lead to a file of the cache"))
        }
    }

    @Test func otherFoldersAreNoCaches() async throws {
        try await withTemporaryDirectory { folder in
            #expect(throws: Failure.self) { try OllamaCache.models(in: folder) }
            #expect(throws: Failure.self) { try HuggingFaceCache.models(in: folder) }
            #expect(throws: Failure.self) { try OllamaCache.models(in: folder.appending("none")) }
        }
    }

    @Test func anUnknownNameIsSaid() async throws {
        try await withTemporaryDirectory { folder in
            try ollama(folder, name: "registry.ollama.ai/library/pebble/latest")
            let all = try OllamaCache.models(in: folder)
            #expect(try all.named(["pebble"]).models.count == 1)
            #expect(try all.named([]).models.count == 1)
            let failure = #expect(throws: Failure.self) { try all.named(["stone"]) }
            #expect(failure?.code == .notFound)
        }
    }
}
