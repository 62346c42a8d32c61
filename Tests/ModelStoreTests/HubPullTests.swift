import AsyncHTTPClient
import Core
import Hub
import NIOCore
import OCI
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import ModelStore

@Suite(.timeLimit(.minutes(2))) struct HubPullTests {
    private func run(_ body: (FakeHub, HuggingFace, ModelStore) async throws -> Void) async throws {
        try await withStore { store in
            try await FakeHub.run { fake in
                try await HTTPClient.withHTTPClient(configuration: Registry.clientConfiguration) { client in
                    let environment = Paths(environment: ["HF_ENDPOINT": fake.endpoint])
                    let hub = try HuggingFace(
                        connections: Connections(direct: client, environment: environment), environment: environment,
                        userAgent: "wharf-tests/1", pause: { _ in })
                    try await body(fake, hub, store)
                }
            }
        }
    }

    private func pull(_ text: String, _ hub: HuggingFace, _ store: ModelStore) async throws -> (Model, Int) {
        let count = Mutex(0)
        let model = try await store.pull(HubReference(parsing: text), from: hub) { _ in count.withLock { $0 += 1 } }
        return (model, count.withLock { $0 })
    }

    private static func weights() throws -> ByteBuffer { try Files.read(pebble) }

    /// A GGUF file of one tensor, different for every number.
    private static func tiny(_ number: UInt8, part: UInt32? = nil) -> ByteBuffer {
        var writer = GGUFWriter(tensors: 1, values: 1 + (part == nil ? 0 : 1))
        writer.value("general.architecture", "llama")
        if let part { writer.value("split.count", part) }
        writer.tensor("t", [512])
        writer.bytes.writeRepeatingByte(number, count: 4096)
        return writer.bytes
    }

    @Test func aRepositoryBecomesAModel() async throws {
        try await run { fake, hub, store in
            let commit = fake.publish(
                "Org/Pebble-GGUF",
                [
                    "pebble-Q8_0.gguf": try Self.weights(), "pebble-F16.gguf": Self.tiny(1),
                    "README.md": ByteBuffer(string: "x"),
                ])
            let (model, steps) = try await pull("hf.co/Org/Pebble-GGUF:q8_0", hub, store)
            #expect(steps > 0)
            #expect(model.tags == ["huggingface.co/org/pebble-gguf:Q8_0"])
            #expect(model.manifest.layers.map(\.mediaType) == [MediaType.gguf])
            #expect(model.manifest.config.mediaType == MediaType.modelConfig)
            #expect(model.config.quantization == "Q8_0" && model.config.parameters == "1.12M")
            #expect(model.created == Timestamp(rfc3339: "2026-01-02T03:04:05Z")?.seconds)
            #expect(model.manifest.config.annotations[ModelAssembly.Origin.revisionName] == commit)
            #expect(Files.exists(try store.bundle(for: model).weights))
            // Found again by every spelling.
            for name in ["hf.co/Org/Pebble-GGUF:Q8_0", "huggingface.co/org/pebble-gguf:q8_0"] {
                #expect(try store.model(named: name, partial: false).id == model.id)
            }
            // Nobody leases anything any longer.
            #expect(try files(store.root).allSatisfy { !$0.hasPrefix(".wharf") })
        }
    }

    @Test func theSecondTimeIsOneQuestion() async throws {
        try await run { fake, hub, store in
            fake.publish("o/n", ["x-Q4_K_M.gguf": Self.tiny(1)])
            let (first, _) = try await pull("hf.co/o/n", hub, store)
            fake.forgetRequests()
            let (second, steps) = try await pull("hf.co/o/n", hub, store)
            #expect(first.id == second.id && steps == 0)
            #expect(fake.requests.map(\.path) == ["/api/models/o/n/revision/main"])
            // The branch moves on: what is there already is not downloaded again, and the name goes along.
            fake.publish("o/n", ["x-Q4_K_M.gguf": Self.tiny(1), "chat_template.jinja": ByteBuffer(string: "{{ x }}")])
            fake.forgetRequests()
            let (third, _) = try await pull("hf.co/o/n", hub, store)
            #expect(third.id != first.id && third.manifest.layers.count == 2)
            #expect(third.tags == ["huggingface.co/o/n:latest"])
            #expect(!fake.requests.contains { $0.path.contains(".gguf") })
            #expect(try store.model(named: first.id.description).tags.isEmpty)
        }
    }

    @Test func equalRepositoriesGiveEqualIDs() async throws {
        try await run { fake, hub, one in
            fake.publish("O/N", ["x.gguf": Self.tiny(1), "mmproj-F16.gguf": Self.tiny(2)])
            try await withStore { two in
                let (first, _) = try await pull("hf.co/O/N", hub, one)
                let (second, _) = try await pull("huggingface.co/o/n:latest", hub, two)
                #expect(first.id == second.id)
                #expect(try one.bundle(for: first).multimodalProjector != nil)
            }
        }
    }

    @Test func allPartsOfASplitModelCome() async throws {
        try await run { fake, hub, store in
            fake.publish(
                "o/n",
                [
                    "x-Q4_K_M-00001-of-00002.gguf": Self.tiny(1, part: 2),
                    "x-Q4_K_M-00002-of-00002.gguf": Self.tiny(2, part: 2),
                ])
            let (model, _) = try await pull("hf.co/o/n", hub, store)
            #expect(model.manifest.layers.count == 2 && model.config.parameters == "1.02K")
            let bundle = try store.bundle(for: model)
            #expect(bundle.weights.lastComponent?.string == "model-00001-of-00002.gguf")
        }
    }

    @Test func aSafetensorsRepositoryIsTakenWhole() async throws {
        try await run { fake, hub, store in
            fake.describe("o/n", ",\"safetensors\":{\"parameters\":{\"BF16\":1500000},\"total\":1500000}")
            fake.publish(
                "o/n",
                [
                    "model.safetensors": ByteBuffer(repeating: 1, count: 3000), "README.md": ByteBuffer(string: "x"),
                    "config.json": ByteBuffer(string: #"{"model_type":"llama","max_position_embeddings":4096}"#),
                    "tokenizer.json": ByteBuffer(string: "{}"), "LICENSE": ByteBuffer(string: "MIT"),
                ])
            let (model, _) = try await pull("hf.co/o/n", hub, store)
            #expect(model.manifest.config.mediaType == MediaType.modelConfigV02)
            #expect(
                model.manifest.layers.map { $0.annotations[Annotation.filePath] } == [
                    "model.safetensors", "LICENSE", "config.json", "tokenizer.json",
                ])
            #expect(model.config.format == "safetensors" && model.config.quantization == "BF16")
            #expect(model.config.parameters == "1.50M" && model.config.contextSize == 4096)
            #expect(model.config.architecture == "llama")
        }
    }

    @Test func revisionsAreNamesOfTheirOwn() async throws {
        try await run { fake, hub, store in
            fake.publish("o/n", ["x-Q4_0.gguf": Self.tiny(1)])
            fake.publish("o/n", ["x-Q4_0.gguf": Self.tiny(2)], revision: "v1")
            let (main, _) = try await pull("hf.co/o/n", hub, store)
            let (tagged, _) = try await pull("hf.co/o/n:v1", hub, store)
            let (exact, _) = try await pull("hf.co/o/n:Q4_0@v1", hub, store)
            #expect(main.id != tagged.id && tagged.id == exact.id)
            #expect(exact.tags == ["huggingface.co/o/n:v1", "huggingface.co/o/n:Q4_0-v1"])
            #expect(try store.model(named: "hf.co/o/n@v1", partial: false).id == tagged.id)
            let (_, steps) = try await pull("hf.co/o/n:v1", hub, store)
            #expect(steps == 0)
            let failure = await #expect(throws: Failure.self) { try await pull("hf.co/o/n:Q2_K", hub, store) }
            #expect(failure?.description == "hf.co/o/n has nothing called \"Q2_K\". It has Q4_0.")
        }
    }

    @Test func wrongBytesAreNoModel() async throws {
        try await run { fake, hub, store in
            fake.publish("o/n", ["x.gguf": ByteBuffer(repeating: 1, count: 2000)])
            let failure = await #expect(throws: Failure.self) { try await pull("hf.co/o/n", hub, store) }
            #expect(failure?.code == .corrupted)
            let kept = try store.models()
            #expect(kept.isEmpty)
        }
    }
}
