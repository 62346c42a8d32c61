import Core
import NIOCore
import OCI
import SystemPackage
import TestSupport
import Testing

@testable import ModelStore

/// Models as others publish them.
@Suite struct FormatTests {
    private func pull(
        _ layers: [FakeRegistry.Layer], configType: String = MediaType.modelConfig, config: String,
        _ body: (ModelStore, Model) async throws -> Void
    ) async throws {
        try await withStore { store in
            try await withRegistry { fake, registry in
                try fake.publish(layers, "team/x", configType: configType, config: config)
                let model = try await store.pull(ModelReference(parsing: "\(fake.address)/team/x"), from: registry)
                try await body(store, model)
            }
        }
    }

    private static let docker =
        "{\"config\":{\"format\":\"gguf\"},\"descriptor\":{\"created\":\"2026-01-02T03:04:05Z\"}}"

    @Test func runsWhatOllamaPublishes() async throws {
        let weights = try Files.read(pebble)
        let config = """
            {"model_format":"gguf","model_family":"llama","model_families":["llama"],"model_type":"1.1M","file_type":"Q8_0",\
            "architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}
            """
        let layers: [FakeRegistry.Layer] = [
            .init(bytes: weights, type: MediaType.ollamaModel),
            .init(bytes: ByteBuffer(string: "{{ .Prompt }}"), type: MediaType.ollamaTemplate),
            .init(bytes: ByteBuffer(string: "You are Pebble."), type: MediaType.ollamaSystem),
            .init(
                bytes: ByteBuffer(string: #"{"num_ctx":512,"temperature":0,"stop":["END"],"num_gpu":9}"#),
                type: MediaType.ollamaParameters),
            .init(bytes: ByteBuffer(string: "MIT"), type: MediaType.ollamaLicense),
        ]
        try await pull(layers, configType: MediaType.imageConfig, config: config) { store, model in
            #expect(model.config.format == "gguf" && model.config.quantization == "Q8_0")
            #expect(model.config.parameters == "1.1M" && model.config.architecture == "llama")
            #expect(model.config.contextSize == 512 && model.config.size.hasSuffix("MiB"))
            #expect(model.created > 1_700_000_000)
            #expect(model.customization.system == "You are Pebble.")
            #expect(model.customization.parameters.launch == ["temperature": "0.0"])
            #expect(model.customization.hasGoTemplate)
            #expect(model.customization.notes.count == 2)
            let bundle = try store.bundle(for: model)
            #expect(bundle.chatTemplate == nil)
            #expect(try Files.read(bundle.weights) == weights)

            // As docker's own: the same blobs, and an id that does not depend on when it was pulled.
            var recipe = PackageRecipe(.model(model.id.description))
            let packed = try await store.package(recipe, as: ModelReference(parsing: "mine"))
            #expect(packed.manifest.config.mediaType == MediaType.modelConfig)
            #expect(packed.manifest.layers.map(\.digest) == model.manifest.layers.map(\.digest))
            #expect(
                packed.manifest.layers.map(\.mediaType) == [
                    MediaType.gguf, MediaType.goTemplate, MediaType.systemPrompt, MediaType.parameters,
                    MediaType.license,
                ])
            #expect(packed.customization == model.customization)
            let document = try JSON(
                parsing: Files.read(store.root.appending("blobs/sha256/\(packed.manifest.config.digest.hex)")))
            #expect(document["descriptor"]?["created"] == "1970-01-01T00:00:00Z")
            recipe.contextSize = 128
            #expect(try await store.package(recipe, as: ModelReference(parsing: "mine")).config.contextSize == 128)
        }
    }

    @Test func anImageIsNoModel() async throws {
        let failure = await #expect(throws: Failure.self) {
            try await pull(
                [.init(bytes: ByteBuffer(string: "x"), type: "application/vnd.docker.image.rootfs.diff.tar.gzip")],
                configType: MediaType.imageConfig, config: "{\"architecture\":\"amd64\",\"config\":{}}"
            ) { _, _ in }
        }
        #expect(failure?.code == .unsupported)
        #expect(failure?.message.contains("is not a model") == true)
    }

    @Test func readsModelPack() async throws {
        let config = """
            {"descriptor":{"createdAt":"2025-01-01T00:00:00Z","family":"pebble"},"modelfs":{"type":"layers","diffIds":[]},\
            "config":{"architecture":"transformer","format":"gguf","precision":"int8"}}
            """
        let weights = try Files.read(pebble)
        for type in [MediaType.modelPackWeight, MediaType.modelPackWeightGGUF] {
            let layers: [FakeRegistry.Layer] = [
                .init(bytes: ByteBuffer(string: "p"), type: MediaType.modelPackWeight, path: "mmproj-f16.gguf"),
                .init(bytes: weights, type: type, path: "weights/m.gguf"),
                .init(bytes: ByteBuffer(string: "{{ 1 }}"), type: MediaType.modelPackWeightConfig, path: "chat.jinja"),
                .init(bytes: ByteBuffer(string: "{}"), type: MediaType.modelPackWeightConfig, path: "config.json"),
                .init(bytes: ByteBuffer(string: "# x"), type: MediaType.modelPackDoc, path: "README.md"),
            ]
            try await pull(layers, configType: MediaType.modelPackConfig, config: config) { store, model in
                let config = model.config
                #expect((config.format, config.quantization, config.parameters) == ("gguf", "int8", "1.12M"))
                #expect(config.architecture == "llama" && config.contextLength != nil)
                let bundle = try store.bundle(for: model)
                #expect(try Files.read(bundle.weights) == weights)
                #expect(bundle.chatTemplate?.lastComponent == "chat.jinja")
                #expect(bundle.multimodalProjector?.lastComponent == "mmproj-f16.gguf")
            }
        }
    }

    private func tar(_ entries: [(Tar.Entry, String)]) -> ByteBuffer {
        var bytes = ByteBuffer()
        for (entry, content) in entries {
            bytes.writeImmutableBuffer(Tar.head(entry))
            bytes.writeString(content)
            bytes.writeImmutableBuffer(Tar.padding(after: Int64(content.utf8.count)))
        }
        bytes.writeImmutableBuffer(Tar.end)
        return bytes
    }

    @Test func foldersAreUnpacked() async throws {
        let archive = tar([
            (Tar.Entry(name: "./", size: 0, isDirectory: true), ""),
            (Tar.Entry(name: "./extra/", size: 0, isDirectory: true), ""),
            (Tar.Entry(name: "./extra/deep/a.txt", size: 5), "hello"), (Tar.Entry(name: "b.json", size: 2), "{}"),
        ])
        for type in [MediaType.directoryTar, MediaType.vllmConfigTar] {
            let layers: [FakeRegistry.Layer] = [
                .init(bytes: try Files.read(pebble)), .init(bytes: archive, type: type),
            ]
            try await pull(layers, config: Self.docker) { store, model in
                let bundle = try store.bundle(for: model)
                let folder = bundle.weights.removingLastComponent()
                #expect(try files(folder) == ["b.json", "extra/deep/a.txt", "model.gguf"])
                #expect(try String(buffer: Files.read(folder.appending("extra/deep/a.txt"))) == "hello")
                // Laid out once.
                let inode = try POSIX.status(folder.appending("b.json")).inode
                _ = try store.bundle(for: model)
                #expect(try POSIX.status(folder.appending("b.json")).inode == inode)
            }
        }
    }

    /// The header of an entry of another type, its checksum made right.
    private static func special(_ type: Character, name: String, target: String) -> ByteBuffer {
        var bytes = Array(Tar.head(Tar.Entry(name: name, size: 0)).readableBytesView)
        bytes[156] = type.asciiValue ?? 0
        bytes.replaceSubrange(157..<157 + target.utf8.count, with: Array(target.utf8))
        let sum = bytes.enumerated().reduce(0) { $0 + ((148..<156).contains($1.offset) ? 32 : Int($1.element)) }
        let text = String(sum, radix: 8)
        bytes.replaceSubrange(148..<154, with: Array((String(repeating: "0", count: 6 - text.count) + text).utf8))
        return ByteBuffer(bytes: bytes)
    }

    @Test(arguments: [
        "../out", "/tmp/out", "a/../../out", "model.gguf", "MODEL.GGUF", "model.gguf/x", "a//b", "twice",
        String(repeating: "d/", count: 20) + "x",
    ]) func filesOfArchivesStayInTheBundle(_ name: String) async throws {
        let archive = tar([
            (Tar.Entry(name: "twice", size: 1), "1"), (Tar.Entry(name: name, size: 4), "evil"),
        ])
        try await refuse(archive)
    }

    @Test(arguments: ["1", "2", "3", "4", "6"] as [Character]) func linksAndDevicesAreNotUnpacked(_ type: Character)
        async throws
    {
        var archive = Self.special(type, name: "link", target: "../../../models.json")
        archive.writeImmutableBuffer(tar([(Tar.Entry(name: "link/x", size: 4), "evil")]))
        try await refuse(archive)
    }

    @Test func whatIsNoArchiveIsRefused() async throws {
        try await refuse(ByteBuffer(string: String(repeating: "no archive ", count: 100)))
        var cut = Tar.head(Tar.Entry(name: "a", size: 4000))
        cut.writeString("short")
        try await refuse(cut)
    }

    /// Refused when it comes, and when somebody else has put it there: nothing stays of it, and what lies around the
    /// store is untouched.
    private func refuse(_ archive: ByteBuffer) async throws {
        let layers: [FakeRegistry.Layer] = [
            .init(bytes: try Files.read(pebble)), .init(bytes: archive, type: MediaType.directoryTar),
        ]
        try await withStore { store in
            try await withRegistry { fake, registry in
                let manifest = try fake.publish(layers, "team/x", config: Self.docker)
                let name = try ModelReference(parsing: "\(fake.address)/team/x")
                let failure = await #expect(throws: Failure.self) { try await store.pull(name, from: registry) }
                try expectRefusal(failure)
                #expect(try store.models().isEmpty)
                #expect(!store.blobs.contains(Digest.sha256(of: archive)))

                for layer in layers { try store.blobs.store(layer.bytes) }
                try store.blobs.store(ByteBuffer(string: Self.docker))
                let model = try #require(try store.register(manifest, tag: nil))
                let before = try files(store.root)
                try expectRefusal(#expect(throws: Failure.self) { try store.bundle(for: model) })
                #expect(try files(store.root) == before)
                #expect(!Files.exists("/tmp/out"))
            }
        }
    }

    private func expectRefusal(_ failure: Failure?) throws {
        let failure = try #require(failure)
        #expect(failure.code == .corrupted || failure.code == .unsupported, "\(failure)")
        #expect(failure.advice?.contains("docker model save") != true)
    }

    private static let modelPack = """
        {"descriptor":{"createdAt":"2025-01-01T00:00:00Z","family":"pebble"},"modelfs":{"type":"layers","diffIds":[]},\
        "config":{"architecture":"transformer","format":"gguf","paramSize":"1m"}}
        """

    private func tar(weights: ByteBuffer) -> ByteBuffer {
        var bytes = Tar.head(Tar.Entry(name: "weights/m.gguf", size: Int64(weights.readableBytes)))
        bytes.writeImmutableBuffer(weights)
        bytes.writeImmutableBuffer(Tar.padding(after: Int64(weights.readableBytes)))
        bytes.writeImmutableBuffer(tar([(Tar.Entry(name: "weights/mmproj.gguf", size: 1), "p")]))
        return bytes
    }

    @Test(arguments: ["", MediaType.gzip]) func archivesOfModelPackAreUnpacked(_ suffix: String) async throws {
        let weights = try Files.read(pebble)
        let texts = tar([
            (Tar.Entry(name: "chat.jinja", size: 2), "{}"), (Tar.Entry(name: "config.json", size: 2), "{}"),
        ])
        let pack = { suffix.isEmpty ? $0 : gzip($0) }
        let layers: [FakeRegistry.Layer] = [
            .init(bytes: pack(tar(weights: weights)), type: MediaType.modelPackWeightTar + suffix, path: "w.tar"),
            .init(bytes: pack(texts), type: MediaType.modelPackWeightConfigTar + suffix, path: "c.tar"),
        ]
        try await pull(layers, configType: MediaType.modelPackConfig, config: Self.modelPack) { store, model in
            for _ in 0..<2 {
                let bundle = try store.bundle(for: model)
                #expect(try Files.read(bundle.weights) == weights)
                #expect(bundle.weights.string.hasSuffix("/model/weights/m.gguf"))
                #expect(bundle.multimodalProjector?.lastComponent == "mmproj.gguf")
                #expect(bundle.chatTemplate?.lastComponent == "chat.jinja")
            }
            // Docker's format has no word for gzip, and calling it plain would be a lie.
            var recipe = PackageRecipe(.model(model.id.description))
            recipe.format = .docker
            do {
                try await store.package(recipe, as: ModelReference(parsing: "other"))
                #expect(suffix.isEmpty)
            } catch let failure as Failure {
                #expect(!suffix.isEmpty && failure.code == .unsupported, "\(failure)")
            }
        }
    }

    @Test func zstdIsRefusedBeforeTheDownload() async throws {
        try await withStore { store in
            try await withRegistry { fake, registry in
                for type in [MediaType.modelPackWeightTar, MediaType.modelPackWeightConfigTar] {
                    try fake.publish(
                        [.init(bytes: ByteBuffer(string: "x"), type: type + MediaType.zstd)], "team/x",
                        configType: MediaType.modelPackConfig, config: Self.modelPack)
                    let failure = await #expect(throws: Failure.self) {
                        try await store.pull(ModelReference(parsing: "\(fake.address)/team/x"), from: registry)
                    }
                    #expect(failure?.code == .unsupported && failure?.message.contains("zstd") == true)
                    #expect(!fake.requests.contains { $0.contains("/blobs/") })
                }
            }
        }
    }

    /// 80 MiB of zeros in 80 KiB.
    @Test func bombsAreNotUnpacked() async throws {
        var bomb = gzip(Tar.head(Tar.Entry(name: "x", size: 80 << 20)))
        let zeros = gzip(ByteBuffer(repeating: 0, count: 4 << 20))
        for _ in 0..<20 { bomb.writeImmutableBuffer(zeros) }
        let type = MediaType.modelPackWeightTar + MediaType.gzip
        let failure = await #expect(throws: Failure.self) {
            try await pull(
                [.init(bytes: bomb, type: type)], configType: MediaType.modelPackConfig, config: Self.modelPack
            ) { _, _ in }
        }
        #expect(failure?.code == .resourceExhausted, "\(String(describing: failure))")
    }

    @Test func whatIsNotGzipIsRefused() async throws {
        for bytes in [ByteBuffer(string: "not packed"), gzip(ByteBuffer(string: "packed, and no archive"))] {
            let failure = await #expect(throws: Failure.self) {
                try await pull(
                    [.init(bytes: bytes, type: MediaType.modelPackWeightTar + MediaType.gzip)],
                    configType: MediaType.modelPackConfig, config: Self.modelPack
                ) { _, _ in }
            }
            #expect(failure?.code == .corrupted, "\(String(describing: failure))")
        }
    }
}
