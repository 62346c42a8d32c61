import Core
import ModelStore
import NIOCore
import OCI
import SystemPackage
import TestSupport
import Testing

@Suite struct StoreTests {
    private func pack(_ store: ModelStore, _ name: String, contextSize: Int? = nil) async throws -> Model {
        try await store.package(
            gguf: pebble, as: ModelReference(parsing: name), contextSize: contextSize, created: someTime)
    }

    @Test func packagesPebble() async throws {
        try await withStore { store in
            let model = try await pack(store, "pebble")
            #expect(model.tags == ["docker.io/ai/pebble:latest"])
            #expect(model.config.format == "gguf")
            #expect(model.config.quantization == "Q8_0")
            #expect(model.config.parameters == "1.12M")
            #expect(model.config.size.hasSuffix("MiB"))
            #expect(model.config.contextSize == nil)
            #expect(model.config.contextLength != nil)
            #expect(model.created == someTime.seconds)
            let layer = try #require(model.manifest.layers.first)
            #expect(layer.mediaType == MediaType.gguf)
            #expect(layer.annotations[Annotation.filePath] == "pebble-1m-q8_0.gguf")
            #expect(layer.annotations[Annotation.mediaTypeUntested] == "false")
            let metadata = try JSON(parsing: layer.annotations[Annotation.fileMetadata] ?? "")
            #expect(metadata["size"]?.int == Int(layer.size))
            #expect(metadata["mtime"]?.string == someTime.rfc3339)
            let json = model.json
            #expect(json["id"]?.string == model.id.description)
            #expect(json["tags"]?.array == ["docker.io/ai/pebble:latest"])
            #expect(json["config"]?["gguf"]?["general.architecture"] == "llama")
        }
    }

    @Test func equalInputGivesEqualIDs() async throws {
        try await withStore { one in
            try await withStore { two in
                let first = try await pack(one, "a")
                let second = try await pack(two, "b")
                let other = try await pack(two, "b", contextSize: 512)
                #expect(first.id == second.id)
                #expect(other.id != second.id)
                #expect(other.config.contextLength == 512)
                #expect(try two.model(named: second.id.short).tags == [])
            }
        }
    }

    @Test func theFolderLooksLikeDockers() async throws {
        try await withStore { store in
            let model = try await pack(store, "pebble")
            _ = try store.bundle(for: model)
            let layer = try #require(model.manifest.layers.first).digest
            let config = model.manifest.config.digest
            #expect(
                try Set(files(store.root)) == [
                    "layout.json", "models.json", "manifests/sha256/\(model.id.hex)", "blobs/sha256/\(layer.hex)",
                    "blobs/sha256/\(config.hex)", "bundles/sha256/\(model.id.hex)/config.json",
                    "bundles/sha256/\(model.id.hex)/model/model.gguf",
                ])
            #expect(try String(buffer: Files.read(store.root.appending("layout.json"))) == "{\"version\":\"1.0.0\"}")
            #expect(
                try String(buffer: Files.read(store.root.appending("models.json"))) == """
                    {
                      "models": [
                        {
                          "id": "\(model.id)",
                          "tags": [
                            "docker.io/ai/pebble:latest"
                          ],
                          "files": [
                            "\(layer)",
                            "\(config)"
                          ]
                        }
                      ]
                    }
                    """)
        }
    }

    @Test func refusesAnotherLayout() async throws {
        for text in ["{\"version\":\"2.0.0\"}", "{}", "nonsense"] {
            try await withTemporaryDirectory { root in
                try Files.write(ByteBuffer(string: text), to: root.appending("layout.json"))
                let failure = #expect(throws: Failure.self) { try ModelStore(root: root) }
                #expect(failure?.code == .unsupported)
            }
        }
    }

    @Test func saysWhichIndexIsBroken() async throws {
        try await withStore { store in
            try Files.write(
                ByteBuffer(string: "{\"models\":[{\"id\":\"../x\"}]}"), to: store.root.appending("models.json"))
            let failure = #expect(throws: Failure.self) { try store.models() }
            #expect(failure?.code == .corrupted)
            #expect(failure?.message.contains("models.json") == true)
        }
    }

    @Test func aPartOfANameIsEnoughWhereItMeansOneModelAndNothingIsRemovedByIt() async throws {
        try await withStore { store in
            let model = try await pack(store, "localhost:5000/team/pebble:v1")
            #expect(try store.model(named: "pebble").id == model.id)
            let missing = #expect(throws: Failure.self) { try store.remove(named: "pebble") }
            #expect(missing?.description.hasSuffix("Did you mean localhost:5000/team/pebble:v1?") == true)
            _ = try await pack(store, "localhost:5000/other/pebble:v1", contextSize: 77)
            let unclear = #expect(throws: Failure.self) { try store.model(named: "pebble") }
            #expect(unclear?.code == .conflict)
            #expect(unclear?.description.contains("localhost:5000/other/pebble:v1") == true)
            #expect(throws: Failure.self) { try store.tag("pebble", as: ModelReference(parsing: "x")) }
            #expect(try store.models().count == 2)
        }
    }

    @Test func findsByEveryKindOfName() async throws {
        try await withStore { store in
            let model = try await pack(store, "localhost:5000/team/pebble:v1")
            for name in [
                "localhost:5000/team/pebble:v1", model.id.short, model.id.hex, model.id.description,
                "localhost:5000/team/pebble@\(model.id)", "pebble", "pebble:v1",
            ] {
                #expect(try store.model(named: name).id == model.id, "\(name)")
            }
            for name in ["pebble:v2", "team/pebble", "ebble", "0123456789ab", String(repeating: "0", count: 64)] {
                let failure = #expect(throws: Failure.self, "\(name)") { try store.model(named: name) }
                #expect(failure?.code == .notFound)
                #expect(failure?.message == "model not found: \(name)")
            }
            #expect(throws: Failure.self) { try store.model(named: "pebble", partial: false) }
        }
    }

    /// Older stores have names without the registry.
    @Test func findsNamesOfOlderStores() async throws {
        try await withStore { store in
            let model = try await pack(store, "pebble")
            let path = store.root.appending("models.json")
            let text = try String(buffer: Files.read(path)).replacing("docker.io/ai/pebble:latest", with: "ai/pebble")
            try Files.write(ByteBuffer(string: text), to: path)
            #expect(try store.model(named: "pebble:latest", partial: false).id == model.id)
            #expect(try store.remove(named: "pebble") == [.untagged("ai/pebble"), .deleted(model.id)])
        }
    }

    @Test func aTagMoves() async throws {
        try await withStore { store in
            let one = try await pack(store, "x:1")
            let two = try await pack(store, "x:2", contextSize: 64)
            #expect(try store.tag("x:1", as: ModelReference(parsing: "y")).tags.count == 2)
            #expect(try store.model(named: "y").id == one.id)
            try store.tag("x:2", as: ModelReference(parsing: "y"))
            #expect(try store.model(named: "y").id == two.id)
            #expect(try store.model(named: "x:1").tags == ["docker.io/ai/x:1"])
            for bad in [one.id.hex, "x@\(one.id)"] {
                #expect(throws: Failure.self) { try store.tag("x:1", as: ModelReference(parsing: bad)) }
            }
            let failure = #expect(throws: Failure.self) { try store.tag("z", as: ModelReference(parsing: "y")) }
            #expect(failure?.code == .notFound)
        }
    }

    @Test func removesNamesThenTheModel() async throws {
        try await withStore { store in
            let model = try await pack(store, "x")
            try store.tag("x", as: ModelReference(parsing: "y"))
            _ = try store.bundle(for: model)
            #expect(try store.remove(named: "x") == [.untagged("docker.io/ai/x:latest")])
            #expect(try store.models().map(\.tags) == [["docker.io/ai/y:latest"]])
            #expect(try store.remove(named: "y") == [.untagged("docker.io/ai/y:latest"), .deleted(model.id)])
            #expect(try files(store.root) == ["layout.json", "models.json"])
            #expect(try String(buffer: Files.read(store.root.appending("models.json"))) == "{\n  \"models\": []\n}")
            let failure = #expect(throws: Failure.self) { try store.remove(named: "y") }
            #expect(failure?.code == .notFound)
        }
    }

    @Test func anIDWithSeveralNamesNeedsForce() async throws {
        try await withStore { store in
            let model = try await pack(store, "x")
            try store.tag("x", as: ModelReference(parsing: "y"))
            for name in [model.id.short, model.id.hex, model.id.description] {
                let failure = #expect(throws: Failure.self) { try store.remove(named: name) }
                #expect(failure?.code == .conflict)
            }
            #expect(try store.models().count == 1)
            #expect(
                try store.remove(named: model.id.short, force: true) == [
                    .untagged("docker.io/ai/x:latest"), .untagged("docker.io/ai/y:latest"), .deleted(model.id),
                ])
            #expect(try store.models().isEmpty)
        }
    }

    @Test func sharedBlobsStay() async throws {
        try await withStore { store in
            let one = try await pack(store, "x:1")
            let two = try await pack(store, "x:2", contextSize: 64)
            let shared = try #require(one.manifest.layers.first).digest
            #expect(two.manifest.layers.first?.digest == shared)
            try store.remove(named: "x:1")
            #expect(Files.exists(store.root.appending("blobs/sha256/\(shared.hex)")))
            #expect(!Files.exists(store.root.appending("blobs/sha256/\(one.manifest.config.digest.hex)")))
            #expect(Files.exists(try store.bundle(for: two).weights))
            #expect(throws: Failure.self) { try store.bundle(for: one) }
        }
    }

    @Test func laysOutABundle() async throws {
        try await withTemporaryDirectory { folder in
            try Files.write(ByteBuffer(string: "{{ messages }}"), to: folder.appending("t.jinja"))
            try Files.write(ByteBuffer(string: "MIT"), to: folder.appending("LICENSE"))
            try await withStore { store in
                let model = try await store.package(
                    gguf: pebble, as: ModelReference(parsing: "x"), licences: [folder.appending("LICENSE")],
                    chatTemplate: folder.appending("t.jinja"), created: someTime)
                #expect(
                    model.manifest.layers.map(\.mediaType) == [
                        MediaType.gguf, MediaType.chatTemplate, MediaType.license,
                    ])
                let bundle = try store.bundle(for: model)
                #expect(bundle.multimodalProjector == nil)
                let template = try #require(bundle.chatTemplate)
                #expect(try String(buffer: Files.read(template)) == "{{ messages }}")
                #expect(bundle.weights.string.hasSuffix("bundles/sha256/\(model.id.hex)/model/model.gguf"))
                #expect(try POSIX.status(bundle.weights).links == 2)
                // A damaged one is made again.
                try Files.remove(bundle.weights)
                try Files.write(ByteBuffer(string: "other"), to: bundle.weights)
                #expect(try store.bundle(for: model) == bundle)
                #expect(try POSIX.status(bundle.weights).size == model.manifest.layers[0].size)
            }
        }
    }

    @Test func refusesWhatIsNoModel() async throws {
        try await withTemporaryDirectory { folder in
            try Files.write(ByteBuffer(string: "not a model"), to: folder.appending("x.gguf"))
            var split = GGUFWriter(tensors: 1, values: 1)
            split.value("split.count", 2)
            split.tensor("t", [1])
            split.bytes.writeRepeatingByte(0, count: 64)
            try Files.write(split.bytes, to: folder.appending("part.gguf"))
            try await withStore { store in
                for (file, code) in [
                    ("x.gguf", Failure.Code.corrupted), ("part.gguf", .unsupported), ("none.gguf", .notFound),
                ] {
                    let failure = await #expect(throws: Failure.self) {
                        try await store.package(gguf: folder.appending(file), as: ModelReference(parsing: "x"))
                    }
                    #expect(failure?.code == code)
                    #expect(failure?.message.contains(file) == true)
                }
                await #expect(throws: Failure.self) { try await pack(store, "x", contextSize: 0) }
                await #expect(throws: Failure.self) { try await pack(store, String(repeating: "0", count: 64)) }
                let kept = try files(store.root)
                #expect(kept == ["layout.json"])
            }
        }
    }

    /// Writers that know nothing of each other must not lose each other's entries.
    @Test func concurrentWritersLoseNothing() async throws {
        try await withStore { store in
            _ = try await pack(store, "x")
            let root = store.root
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    group.addTask {
                        let mine = try ModelStore(root: root)
                        for number in 0..<10 {
                            try mine.tag("x", as: ModelReference(parsing: "t:\(writer)-\(number)"))
                            await Task.yield()
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try store.model(named: "x").tags.count == 41)
        }
    }

    /// Another process changes the index; what was read before must not be believed any longer.
    @Test func seesWhatOthersChange() async throws {
        try await withStore { store in
            let other = try ModelStore(root: store.root)
            #expect(try store.models().isEmpty)
            for number in 0..<20 {
                let model = try await pack(other, "x", contextSize: number % 2 == 0 ? 64 : 65)
                #expect(try store.model(named: "x").id == model.id)
                try other.remove(named: "x")
                #expect(throws: Failure.self) { try store.model(named: "x", partial: false) }
            }
        }
    }

    @Test func aDamagedModelDoesNotHideTheOthers() async throws {
        try await withStore { store in
            let one = try await pack(store, "x:1")
            _ = try await pack(store, "x:2", contextSize: 64)
            try Files.write(ByteBuffer(string: "{}"), to: store.root.appending("manifests/sha256/\(one.id.hex)"))
            let fresh = try ModelStore(root: store.root)
            #expect(try fresh.models().map(\.tags) == [["docker.io/ai/x:2"]])
            let failure = #expect(throws: Failure.self) { try fresh.model(named: "x:1") }
            #expect(failure?.code == .corrupted)
            #expect(try fresh.remove(named: "x:1").count == 2)
        }
    }
}
