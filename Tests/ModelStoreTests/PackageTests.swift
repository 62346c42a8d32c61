import Core
import ModelStore
import NIOCore
import OCI
import SystemPackage
import TestSupport
import Testing

@Suite struct PackageTests {
    private func file(_ name: String, _ bytes: ByteBuffer, in folder: FilePath) throws -> FilePath {
        let path = name.split(separator: "/").reduce(folder) { $0.appending(String($1)) }
        try Files.makeDirectory(path.removingLastComponent())
        try Files.write(bytes, to: path)
        return path
    }

    private func pack(_ store: ModelStore, _ recipe: PackageRecipe, _ name: String = "x") async throws -> Model {
        var recipe = recipe
        if case .model = recipe.source {} else { recipe.created = recipe.created ?? someTime }
        return try await store.package(recipe, as: ModelReference(parsing: name))
    }

    private func kinds(_ model: Model) -> [String] {
        model.manifest.layers.map { $0.mediaType.split(separator: "/").last.map(String.init) ?? "" }
    }

    private func shards(_ count: Int, in folder: FilePath) throws -> [FilePath] {
        try GGUFFile(reading: pebble).parts(count).enumerated().map { number, part in
            try file("p-0000\(number + 1)-of-0000\(count).gguf", part.bytes, in: folder)
        }
    }

    @Test func findsTheOtherPartsOfASplitModel() async throws {
        try await withStore { store in
            try await withTemporaryDirectory { folder in
                let shards = try shards(3, in: folder)
                let model = try await pack(store, PackageRecipe(.gguf(shards[0])))
                #expect(kinds(model) == Array(repeating: "vnd.docker.ai.gguf.v3", count: 3))
                #expect(model.config.parameters == "1.12M")
                #expect(model.config.quantization == "Q8_0")
                #expect(model.config.gguf["general.architecture"] == "llama")
                let bundle = try store.bundle(for: model)
                #expect(bundle.weights.lastComponent == "model-00001-of-00003.gguf")
                #expect(try POSIX.status(bundle.weights).inode == inode(model.manifest.layers[0], store))
                #expect(try POSIX.list(bundle.weights.removingLastComponent()).count == 3)

                var recipe = PackageRecipe(.gguf(shards[0]))
                recipe.format = .cncf
                let pack = try await pack(store, recipe, "y")
                #expect(try store.bundle(for: pack).weights.lastComponent == "p-00001-of-00003.gguf")

                let later = await #expect(throws: Failure.self) { try await self.pack(store, .init(.gguf(shards[1]))) }
                #expect(later?.advice?.contains("p-00001-of-00003.gguf") == true)
                try Files.remove(shards[2])
                let missing = await #expect(throws: Failure.self) {
                    try await self.pack(store, .init(.gguf(shards[0])))
                }
                #expect(missing?.code == .notFound && missing?.message.contains("p-00003-of-00003.gguf") == true)
                try Files.write(Files.read(shards[1]), to: shards[2])
                let wrong = await #expect(throws: Failure.self) { try await self.pack(store, .init(.gguf(shards[0]))) }
                #expect(wrong?.message.contains("is not part 3") == true, "\(String(describing: wrong))")
                let lonely = try file("lonely.gguf", Files.read(shards[0]), in: folder)
                let failure = await #expect(throws: Failure.self) { try await self.pack(store, .init(.gguf(lonely))) }
                #expect(failure?.code == .unsupported)
            }
        }
    }

    private func inode(_ layer: Descriptor, _ store: ModelStore) throws -> UInt64 {
        try POSIX.status(store.root.appending("blobs/sha256/\(layer.digest.hex)")).inode
    }

    private func safetensorsFolder(_ folder: FilePath) throws {
        for part in 1...2 {
            _ = try file(
                "model-0000\(part)-of-00002.safetensors",
                safetensors([("t\(part)", "BF16", [100, 10 * part], 2000 * part)]),
                in: folder)
        }
        let config = #"{"model_type":"qwen2","max_position_embeddings":32768,"vocab_size":5}"#
        _ = try file("config.json", ByteBuffer(string: config), in: folder)
        _ = try file("sub/tokenizer.json", ByteBuffer(string: "{}"), in: folder)
        _ = try file("README.md", ByteBuffer(string: "# x"), in: folder)
        _ = try file("LICENSE", ByteBuffer(string: "MIT"), in: folder)
        _ = try file("chat_template.jinja", ByteBuffer(string: "{{ messages }}"), in: folder)
        _ = try file(".git/config", ByteBuffer(string: "secret"), in: folder)
        try POSIX.symbolicLink(at: folder.appending("link.json"), to: "/etc/passwd")
    }

    @Test func aFolderBecomesOneLayerPerFile() async throws {
        try await withStore { store in
            try await withTemporaryDirectory { folder in
                try safetensorsFolder(folder)
                let model = try await pack(store, PackageRecipe(.safetensors(folder)))
                #expect(model.manifest.config.mediaType == MediaType.modelConfigV02)
                #expect(
                    model.manifest.layers.map { "\($0.annotations[Annotation.filePath] ?? "") \($0.mediaType)" } == [
                        "LICENSE \(MediaType.license)", "README.md \(MediaType.modelFile)",
                        "chat_template.jinja \(MediaType.chatTemplate)", "config.json \(MediaType.modelFile)",
                        "model-00001-of-00002.safetensors \(MediaType.safetensors)",
                        "model-00002-of-00002.safetensors \(MediaType.safetensors)",
                        "sub/tokenizer.json \(MediaType.modelFile)",
                    ])
                let config = model.config
                #expect((config.format, config.quantization, config.parameters) == ("safetensors", "BF16", "3.00K"))
                #expect((config.architecture, config.contextSize, config.size) == ("qwen2", 32768, "5.86KiB"))
                #expect(config.safetensors == ["format": "pt", "tensor_count": "2"])
                // Engines for this format take the folder.
                let bundle = try store.bundle(for: model)
                #expect(Files.exists(bundle.weights.appending("model-00002-of-00002.safetensors")))
                #expect(Files.exists(bundle.weights.appending("sub/tokenizer.json")))
                #expect(try await pack(store, PackageRecipe(.safetensors(folder)), "again").id == model.id)

                var recipe = PackageRecipe(.safetensors(folder))
                recipe.format = .cncf
                let cncf = try await pack(store, recipe, "cncf")
                #expect(cncf.manifest.artifactType == MediaType.modelPackManifest)
                #expect(cncf.config.format == "safetensors" && cncf.config.architecture == "qwen2")
                #expect(cncf.config.parameters == "3.00K" && cncf.config.quantization == "BF16")
                #expect(
                    Set(cncf.manifest.layers.map(\.mediaType)) == [
                        MediaType.modelPackWeight, MediaType.modelPackWeightConfig, MediaType.modelPackDoc,
                    ])
            }
        }
    }

    @Test func refusesFoldersThatAreNoModels() async throws {
        try await withStore { store in
            try await withTemporaryDirectory { folder in
                _ = try file("empty/config.json", ByteBuffer(string: "{}"), in: folder)
                _ = try file("bad/x.safetensors", ByteBuffer(string: "<html></html>"), in: folder)
                _ = try file("none/x.safetensors", safetensors([]), in: folder)
                for (name, message) in [
                    ("empty", "holds no .safetensors file"), ("bad", "is not a safetensors file"),
                    ("missing", "cannot read"),
                    ("bad/x.safetensors", "is not a folder"), ("none", "holds no weights"),
                ] {
                    let path = name.split(separator: "/").reduce(folder) { $0.appending(String($1)) }
                    let failure = await #expect(throws: Failure.self) {
                        try await pack(store, .init(.safetensors(path)))
                    }
                    #expect(failure?.message.contains(message) == true, "\(String(describing: failure))")
                }
                #expect(try store.models().isEmpty)
            }
        }
    }

    @Test func aModelLendsItsFilesToAnother() async throws {
        try await withStore { store in
            try await withTemporaryDirectory { folder in
                let base = try await pack(store, PackageRecipe(.gguf(pebble)), "base")
                let weights = try inode(base.manifest.layers[0], store)
                // Nothing changed: the same model under one more name.
                let same = try await pack(store, PackageRecipe(.model("base")), "same")
                #expect(same.id == base.id && same.tags.count == 2)

                var recipe = PackageRecipe(.model("base"))
                recipe.contextSize = 512
                let short = try await pack(store, recipe, "short")
                #expect(short.id != base.id)
                #expect(short.config.contextSize == 512)
                #expect(short.manifest.layers == base.manifest.layers)
                #expect(try inode(short.manifest.layers[0], store) == weights)
                #expect(try await pack(store, recipe, "short2").id == short.id)

                recipe.chatTemplate = .file(try file("t.jinja", ByteBuffer(string: "{{ 1 }}"), in: folder))
                recipe.licences = [.inline("one"), .inline("two")]
                let more = try await pack(store, recipe, "more")
                #expect(more.config.contextSize == 512)
                #expect(Array(more.manifest.layers.prefix(1)) == base.manifest.layers)
                #expect(
                    more.manifest.layers.dropFirst().map { $0.annotations[Annotation.filePath] } == [
                        "t.jinja", "LICENSE", "LICENSE-2",
                    ])
                #expect(try store.bundle(for: more).chatTemplate != nil)
                let document = try JSON(parsing: Files.read(blob(more.manifest.config, store)))
                #expect(document["rootfs"]?["diff_ids"]?.array?.count == 4)
                let original = try baseConfig(base, store)
                #expect(document["config"]?["gguf"] == original["config"]?["gguf"])

                let failure = await #expect(throws: Failure.self) { try await pack(store, .init(.model("none"))) }
                #expect(failure?.code == .notFound && failure?.advice == "Pull it first: docker model pull none")
            }
        }
    }

    private func blob(_ descriptor: Descriptor, _ store: ModelStore) -> FilePath {
        store.root.appending("blobs/sha256/\(descriptor.digest.hex)")
    }

    private func baseConfig(_ model: Model, _ store: ModelStore) throws -> JSON {
        try JSON(parsing: Files.read(blob(model.manifest.config, store)))
    }

    /// The original forgets both when it writes a stored model anew.
    @Test func theFormatAndWhatWeDoNotKnowAreKept() async throws {
        try await withStore { store in
            try await withRegistry { fake, registry in
                let config = """
                    {"config":{"format":"gguf","new":{"x":[1]}},"descriptor":{"created":"2026-01-02T03:04:05Z","y":1},\
                    "rootfs":{"type":"rootfs","diff_ids":["sha256:\(String(repeating: "a", count: 64))"]},"z":null}
                    """
                try fake.publish(
                    [.init(bytes: Files.read(pebble), path: "sub/x.gguf")], "team/v2",
                    configType: MediaType.modelConfigV02, config: config)
                let name = "\(fake.address)/team/v2"
                let base = try await store.pull(ModelReference(parsing: name), from: registry)
                var recipe = PackageRecipe(.model(name))
                recipe.contextSize = 64
                let model = try await pack(store, recipe)
                #expect(model.manifest.config.mediaType == MediaType.modelConfigV02)
                #expect(model.manifest.layers == base.manifest.layers)
                #expect(
                    try String(buffer: Files.read(blob(model.manifest.config, store)))
                        == config.replacing("{\"x\":[1]}}", with: "{\"x\":[1]},\"context_size\":64}"))
                recipe.format = .cncf
                let failure = await #expect(throws: Failure.self) { try await pack(store, recipe) }
                #expect(failure?.code == .unsupported)
                recipe.contextSize = nil
                let cncf = try await pack(store, recipe, "cncf")
                #expect(cncf.manifest.artifactType == MediaType.modelPackManifest)
                #expect(try store.bundle(for: cncf).weights.string.hasSuffix("/model/sub/x.gguf"))
                #expect(cncf.created == base.created)
                // And back again, to what docker's own tools read.
                recipe = PackageRecipe(.model("cncf"))
                recipe.format = .docker
                let back = try await pack(store, recipe, "back")
                #expect(back.manifest.config.mediaType == MediaType.modelConfig)
                #expect(back.manifest.artifactType == nil)
                #expect(kinds(back) == ["vnd.docker.ai.gguf.v3"])
                // ModelPack again keeps its own, also where something changes.
                recipe = PackageRecipe(.model("cncf"))
                recipe.system = "You are."
                let again = try await pack(store, recipe, "again")
                #expect(again.manifest.artifactType == MediaType.modelPackManifest)
                #expect(again.customization.system == "You are.")
            }
        }
    }

    @Test func adaptersAndProjectorsAreLayers() async throws {
        try await withStore { store in
            try await withTemporaryDirectory { folder in
                let base = try GGUFFile(reading: pebble)
                let name = "blk.0.attn_q.weight"
                let adapter = try file("style.gguf", base.adapter(on: [name], adding: 0).bytes, in: folder)
                let foreign = try file(
                    "foreign.gguf", base.adapter(on: [name], adding: 0, architecture: "gemma").bytes, in: folder)
                var clip = GGUFFile()
                clip.set("general.architecture", "clip")
                let projector = try file("vision.gguf", clip.bytes, in: folder)
                for format in PackageRecipe.Format.allCases {
                    var recipe = PackageRecipe(.gguf(pebble))
                    recipe.format = format
                    recipe.adapters = [adapter, adapter]
                    recipe.projector = projector
                    let model = try await pack(store, recipe)
                    let bundle = try store.bundle(for: model)
                    #expect(bundle.adapters.count == 2 && Set(bundle.adapters).count == 2)
                    #expect(
                        try bundle.adapters.map { try Files.read($0) } == [Files.read(adapter), Files.read(adapter)])
                    #expect(try Files.read(#require(bundle.multimodalProjector)) == Files.read(projector))
                    #expect(try Files.read(bundle.weights) == Files.read(pebble))
                    #expect(model.customization.adapters == 2)
                    #expect(model.config.parameters == "1.12M")
                }
                for (recipe, message) in [
                    (lora(pebble), "is no LoRA adapter, its kind is"), (lora(foreign), "is an adapter for gemma"),
                    (PackageRecipe(.gguf(adapter)), "is a LoRA adapter, not a model"),
                    (PackageRecipe(.gguf(projector)), "is a multimodal projector, not a model"),
                    (lora(projector), "is no LoRA adapter, its kind is \"clip\""),
                ] {
                    let failure = await #expect(throws: Failure.self) { try await pack(store, recipe) }
                    #expect(failure?.message.contains(message) == true, "\(String(describing: failure))")
                }
            }
        }
    }

    private func lora(_ file: FilePath) -> PackageRecipe {
        var recipe = PackageRecipe(.gguf(pebble))
        recipe.adapters = [file]
        return recipe
    }

    @Test func aModelfileIsCarriedAlong() async throws {
        try await withStore { store in
            try await withTemporaryDirectory { folder in
                let modelfile = try file(
                    "Modelfile",
                    ByteBuffer(
                        string: """
                            FROM \(pebble)
                            PARAMETER temperature 0.1
                            PARAMETER num_ctx 256
                            PARAMETER num_thread 3
                            PARAMETER stop END
                            TEMPLATE {{ .Prompt }}
                            SYSTEM Be brief.
                            LICENSE MIT
                            MESSAGE user Hi
                            """), in: folder)
                let model = try await pack(store, PackageRecipe(modelfile: modelfile), "custom")
                #expect(model.config.contextSize == 256)
                let custom = model.customization
                #expect(custom.system == "Be brief.")
                #expect(custom.parameters.launch == ["temperature": "0.1"])
                #expect(custom.parameters.stop == ["END"])
                #expect(custom.messages == [.init(role: "user", content: "Hi")])
                #expect(custom.hasGoTemplate)
                #expect(custom.notes.count == 2 && custom.notes[1].contains("num_thread"))
                #expect(model.json["customization"]?["template"]?.string == "go (not executed)")
                #expect(try store.bundle(for: model).chatTemplate == nil)
                #expect(try await pack(store, PackageRecipe(modelfile: modelfile), "custom").id == model.id)

                // It goes along with the model, and what is said anew counts.
                var recipe = PackageRecipe(.model("custom"))
                recipe.format = .cncf
                let cncf = try await pack(store, recipe, "cncf")
                #expect(cncf.customization.system == "Be brief." && cncf.customization.parameters.stop == ["END"])
                recipe.format = nil
                recipe.system = "Be long."
                try recipe.parameters.set("temperature", to: "0.9")
                let changed = try await pack(store, recipe, "changed")
                #expect(changed.customization.system == "Be long.")
                #expect(changed.customization.parameters.launch == ["temperature": "0.9"])
                #expect(changed.customization.parameters.stop == ["END"])
                #expect(changed.config.contextSize == 256)
            }
        }
    }

    @Test func progressIsToldOfEveryFile() async throws {
        try await withStore { store in
            let seen = Collected<PackageProgress>()
            _ = try await store.package(PackageRecipe(.gguf(pebble)), as: ModelReference(parsing: "x")) {
                seen.append($0)
            }
            let size = try POSIX.status(pebble).size
            let last = try #require(seen.all.last)
            #expect(last.current == size && last.total == size && last.file == "pebble-1m-q8_0.gguf")
        }
    }
}
