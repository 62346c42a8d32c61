import Core
import ModelStore
import NIOCore
import OCI
import Synchronization
import SystemPackage
import TestSupport
import Testing

@Suite struct TransferTests {
    private let weights = FakeRegistry.Layer(bytes: ByteBuffer(repeating: 9, count: 3 << 20))

    private func name(_ fake: FakeRegistry, _ path: String = "ai/x") throws -> ModelReference {
        try ModelReference(parsing: "\(fake.address)/\(path)")
    }

    /// Collects what is told, from several tasks.
    private final class Told: Sendable {
        private let steps = Mutex<[PullProgress]>([])
        var all: [PullProgress] { steps.withLock { $0 } }
        func add(_ step: PullProgress) { steps.withLock { $0.append(step) } }
    }

    @Test func pullsThenFindsItCached() async throws {
        try await withRegistry { fake, registry in
            let small = FakeRegistry.Layer(bytes: ByteBuffer(string: "MIT"), type: MediaType.license)
            let manifest = try fake.publish([weights, small], "ai/x")
            try await withStore { store in
                let told = Told()
                let model = try await store.pull(name(fake), from: registry) { told.add($0) }
                #expect(model.id == manifest.digest)
                #expect(model.tags == ["\(fake.address)/ai/x:latest"])
                #expect(model.created == Timestamp(rfc3339: "2026-01-02T03:04:05Z")?.seconds)
                #expect(told.all.allSatisfy { $0.total == (3 << 20) + 3 })
                for layer in manifest.layers {
                    let steps = told.all.filter { $0.layer == layer.digest }.map(\.layerCurrent)
                    #expect(steps.last == layer.size)
                    #expect(steps == steps.sorted())
                }
                // Far fewer than the pieces that arrive, but some on the way.
                #expect((2...20).contains(told.all.filter { $0.layer == manifest.layers[0].digest }.count))

                fake.forgetRequests()
                let again = Told()
                #expect(try await store.pull(name(fake), from: registry) { again.add($0) } == model)
                #expect(again.all.isEmpty)
                #expect(fake.requests == ["GET /v2/ai/x/manifests/latest"])
            }
        }
    }

    @Test func downloadsOnlyWhatIsMissing() async throws {
        try await withRegistry { fake, registry in
            try fake.publish([weights], "ai/x", tag: "1")
            let second = FakeRegistry.Layer(bytes: ByteBuffer(string: "t"), type: MediaType.chatTemplate)
            try fake.publish([weights, second], "ai/x", tag: "2")
            try await withStore { store in
                try await store.pull(name(fake, "ai/x:1"), from: registry)
                fake.forgetRequests()
                let model = try await store.pull(name(fake, "ai/x:2"), from: registry)
                #expect(!fake.requests.contains("GET /v2/ai/x/blobs/\(model.manifest.layers[0].digest)"))
                #expect(fake.requests.contains("GET /v2/ai/x/blobs/\(model.manifest.layers[1].digest)"))
                #expect(try store.models().count == 2)
                #expect(try store.bundle(for: model).chatTemplate != nil)
            }
        }
    }

    @Test(
        arguments: [
            (FakeRegistry.Fault.corrupted, Failure.Code.corrupted), (.truncated, .unavailable), (.endless, .corrupted),
            (.status(404), .notFound), (.status(401), .unauthorized),
        ] as [(FakeRegistry.Fault, Failure.Code)])
    func aBadLayerLeavesNothing(fault: FakeRegistry.Fault, code: Failure.Code) async throws {
        try await withRegistry { fake, registry in
            let manifest = try fake.publish([weights], "ai/x")
            fake.fail(manifest.layers[0].digest.description, with: fault)
            try await withStore { store in
                let failure = await #expect(throws: Failure.self) {
                    try await store.pull(name(fake), from: registry)
                }
                #expect(failure?.code == code)
                #expect(try store.models().isEmpty)
                // Neither of the layer, whole or in part, nor of the configuration, but for what may be gone on with.
                let left = try files(store.root).filter { fault != .truncated || !$0.hasSuffix(".incomplete") }
                #expect(left == ["layout.json"])
                fake.fail(manifest.layers[0].digest.description, with: nil)
                #expect(try await store.pull(name(fake), from: registry).id == manifest.digest)
            }
        }
    }

    @Test func refusesWhatIsNoModel() async throws {
        try await withRegistry { fake, registry in
            try fake.publish([weights], "ai/x", configType: "application/vnd.oci.image.config.v1+json")
            try fake.publish([weights], "ai/y", config: "{\"nothing\":1}")
            try await withStore { store in
                let failure = await #expect(throws: Failure.self) { try await store.pull(name(fake), from: registry) }
                #expect(failure?.code == .unsupported)
                #expect(failure?.message.contains(MediaType.modelConfig) == true)
                let other = await #expect(throws: Failure.self) {
                    try await store.pull(name(fake, "ai/y"), from: registry)
                }
                #expect(other?.code == .corrupted)
                let id = await #expect(throws: Failure.self) {
                    try await store.pull(ModelReference(parsing: String(repeating: "0", count: 64)), from: registry)
                }
                #expect(id?.code == .invalidArgument)
                let kept = try files(store.root)
                #expect(kept == ["layout.json"])
            }
        }
    }

    @Test func pullsByDigestWithoutAName() async throws {
        try await withRegistry { fake, registry in
            let manifest = try fake.publish([weights], "ai/x")
            try await withStore { store in
                let model = try await store.pull(name(fake, "ai/x@\(manifest.digest)"), from: registry)
                #expect(model.tags.isEmpty)
                #expect(try store.remove(named: model.id.short) == [.deleted(model.id)])
            }
        }
    }

    @Test(arguments: [
        "a/../../../etc/passwd", "..", "/etc/passwd", "a/../../b.gguf", "", ".", "a//b.gguf", "a\0.gguf", "a/./b.gguf",
        "..\\x.gguf",
    ])
    func pathsThatLeadOutAreRefusedBeforeTheDownload(_ path: String) async throws {
        let formats: [(config: String, type: String)] = [
            (MediaType.modelPackConfig, MediaType.modelPackWeight), (MediaType.modelConfig, MediaType.gguf),
            (MediaType.modelConfigV02, MediaType.modelFile), (MediaType.modelConfigV02, MediaType.directoryTar),
        ]
        for format in formats {
            try await withRegistry { fake, registry in
                let evil = FakeRegistry.Layer(bytes: weights.bytes, type: format.type, path: path)
                try fake.publish([weights, evil], "ai/x", configType: format.config)
                try await withStore { store in
                    let failure = await #expect(throws: Failure.self) {
                        try await store.pull(name(fake), from: registry)
                    }
                    #expect(failure?.code == .corrupted, "\(format)")
                    #expect(failure?.description.contains("forbidden path") == true)
                    #expect(!fake.requests.contains { $0.contains("/blobs/") })
                    let kept = try files(store.root)
                    #expect(kept == ["layout.json"])
                }
            }
        }
    }

    @Test func laysOutModelPack() async throws {
        try await withRegistry { fake, registry in
            var model = weights
            // As tools write it that were called elsewhere: what leads out is left out.
            model.path = "../../weights/Model.GGUF"
            model.type = MediaType.modelPackWeight
            var projector = FakeRegistry.Layer(bytes: ByteBuffer(string: "p"), type: MediaType.modelPackWeight)
            projector.path = "weights/mmproj-model.gguf"
            try fake.publish(
                [projector, model], "ai/x", configType: MediaType.modelPackConfig,
                config: "{\"config\":{\"paramSize\":\"1b\"},\"modelfs\":{}}")
            try await withStore { store in
                let pulled = try await store.pull(name(fake), from: registry)
                #expect(pulled.config.format == "gguf")
                #expect(pulled.config.size == "3.00MiB")
                let bundle = try store.bundle(for: pulled)
                #expect(bundle.weights.string.hasSuffix("/model/weights/Model.GGUF"))
                #expect(bundle.multimodalProjector?.string.hasSuffix("/model/weights/mmproj-model.gguf") == true)
            }
        }
    }

    @Test func twoFilesOfOneNameAreRefused() async throws {
        try await withRegistry { fake, registry in
            let layers = ["a.gguf", "A.gguf"].map { path in
                FakeRegistry.Layer(bytes: ByteBuffer(string: path), type: MediaType.modelPackWeight, path: path)
            }
            try fake.publish(layers, "ai/x", configType: MediaType.modelPackConfig)
            try await withStore { store in
                let failure = await #expect(throws: Failure.self) { try await store.pull(name(fake), from: registry) }
                #expect(failure?.code == .corrupted)
                #expect(!fake.requests.contains { $0.contains("/blobs/") })
            }
        }
    }

    @Test func pushesAndPullsBackTheSame() async throws {
        try await withRegistry { fake, registry in
            try await withStore { store in
                let target = try name(fake, "ai/pebble:v1")
                let model = try await store.package(gguf: pebble, as: target, created: someTime)
                let told = Told()
                try await store.push(target, to: registry) { told.add($0) }
                #expect(told.all.last?.layerCurrent == model.manifest.layers[0].size)
                #expect(fake.manifest("ai/pebble", "v1") == model.manifest.raw)
                try await withStore { other in
                    let pulled = try await other.pull(target, from: registry)
                    #expect(pulled == model)
                    #expect(try Files.read(other.bundle(for: pulled).weights) == Files.read(pebble))
                }
                let failure = await #expect(throws: Failure.self) {
                    try await store.push(name(fake, "ai/none"), to: registry)
                }
                #expect(failure?.code == .notFound)
            }
        }
    }

    @Test func aCancelledPullLeavesNothingHalfDone() async throws {
        try await withRegistry { fake, registry in
            _ = try fake.publish([weights], "ai/x")
            try await withStore { store in
                await #expect(throws: (any Error).self) {
                    try await store.pull(name(fake), from: registry) { _ in throw CancellationError() }
                }
                let left = try files(store.root).filter { !$0.hasSuffix(".incomplete") }
                #expect(left == ["layout.json"])
                let model = try await store.pull(name(fake), from: registry)
                #expect(try store.bundle(for: model).weights.string.hasSuffix(".gguf"))
            }
        }
    }

    @Test func twoStoresPullAtOnce() async throws {
        try await withRegistry { fake, registry in
            for number in 0..<4 {
                let layer = FakeRegistry.Layer(bytes: ByteBuffer(repeating: UInt8(number), count: 100_000))
                try fake.publish([weights, layer], "ai/x", tag: "\(number)")
            }
            try await withStore { store in
                let other = try ModelStore(root: store.root)
                let names = try (0..<4).map { try name(fake, "ai/x:\($0)") }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for (number, name) in names.enumerated() {
                        group.addTask { try await (number % 2 == 0 ? store : other).pull(name, from: registry) }
                    }
                    try await group.waitForAll()
                }
                #expect(try store.models().count == 4)
                #expect(try files(store.root).allSatisfy { !$0.hasSuffix(".incomplete") })
            }
        }
    }
}
