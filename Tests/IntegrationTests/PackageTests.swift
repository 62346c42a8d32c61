import Core
import NIOCore
import SystemPackage
import TestSupport
import Testing

extension Integration {
    /// Every format that is written and read, with a real registry and the real engine.
    @Suite(.enabled(if: RealParts.isThere), .timeLimit(.minutes(5))) struct PackageTests {
        private static let question = "What color is snow?"
        private static let answer = "Snow is white.\n"

        /// Packages and pushes, removes, pulls again: the model comes back under its id.
        private func roundTrip(
            _ place: Workplace, _ name: String, _ options: [String],
            sourceLocation: SourceLocation = #_sourceLocation
        ) async throws -> JSON {
            let packaged = try await place.run(
                RealParts.path("WHARF_BIN"), ["model", "package"] + options + ["--push", name])
            try #require(packaged.status == 0, "\(packaged.text)", sourceLocation: sourceLocation)
            let id = try #require(packaged.lines.first?.split(separator: " ").last, sourceLocation: sourceLocation)
            #expect(
                packaged.out.contains("Model pushed successfully"), "\(packaged.text)", sourceLocation: sourceLocation)
            for model in try JSON(parsing: try await place.model("ls", "--json").out).array ?? [] {
                _ = try await place.model("rm", "-f", model["id"]?.string ?? "")
            }
            #expect(try POSIX.list(place.models.appending("blobs/sha256")).isEmpty, sourceLocation: sourceLocation)
            let pulled = try await place.model("pull", name)
            try #require(pulled.status == 0, "\(pulled.text)", sourceLocation: sourceLocation)
            let shown = try JSON(parsing: try await place.model("inspect", name).out)
            #expect(shown["id"]?.string == String(id), sourceLocation: sourceLocation)
            return shown
        }

        private func ask(_ place: Workplace, _ name: String, _ question: String = question) async throws -> String {
            let outcome = try await place.model("run", "--temperature", "0", name, question)
            #expect(outcome.status == 0, "\(outcome.text)")
            return outcome.out
        }

        @Test func everyWrittenFormatComesBackAndRuns() async throws {
            try await Workplace.with { place in
                try await RealRegistry.with(place) { registry in
                    let parts = try GGUFFile(reading: RealParts.pebble).parts(3)
                    for (number, part) in parts.enumerated() {
                        try Files.write(part.bytes, to: place.folder.appending("p-0000\(number + 1)-of-00003.gguf"))
                    }
                    let shard = place.folder.appending("p-00001-of-00003.gguf").string
                    let template = RealParts.repository.appending("Models/pebble/template.jinja").string
                    for (name, options) in [
                        ("whole", ["--gguf", RealParts.pebble.string, "--chat-template", template]),
                        ("parts", ["--gguf", shard]),
                        ("cncf", ["--gguf", RealParts.pebble.string, "--format", "cncf"]),
                        ("cncf-parts", ["--gguf", shard, "--format", "cncf", "--chat-template", template]),
                    ] {
                        let name = "\(registry.address)/test/\(name)"
                        let shown = try await roundTrip(place, name, options)
                        #expect(shown["config"]?["format"] == "gguf", "\(name)")
                        #expect(shown["config"]?["architecture"] == "llama", "\(name)")
                        #expect(shown["config"]?["quantization"] == "Q8_0", "\(name)")
                        #expect(shown["config"]?["parameters"] == "1.12M", "\(name)")
                        #expect(try await ask(place, name) == Self.answer, "\(name)")
                        let row = try await place.model("ls").out
                        #expect(row.contains("1.12M") && row.contains("2048"), "\(row)")
                    }
                }
            }
        }

        @Test func safetensorsTravelAndAreNotRun() async throws {
            try await Workplace.with { place in
                try await RealRegistry.with(place) { registry in
                    let folder = place.folder.appending("st")
                    try Files.makeDirectory(folder.appending("sub"))
                    try Files.write(
                        safetensors([("a", "BF16", [64, 32], 4096), ("b", "BF16", [32], 64)]),
                        to: folder.appending("model.safetensors"))
                    try Files.write(
                        ByteBuffer(string: #"{"model_type":"qwen2","n_ctx":4096}"#), to: folder.appending("config.json")
                    )
                    try Files.write(ByteBuffer(string: "{}"), to: folder.appending("sub/tokenizer.json"))
                    for format in ["docker", "cncf"] {
                        let name = "\(registry.address)/test/st-\(format)"
                        let shown = try await roundTrip(
                            place, name, ["--safetensors-dir", folder.string, "--format", format])
                        let config = try #require(shown["config"])
                        #expect(config["format"] == "safetensors" && config["parameters"] == "2.08K", "\(config)")
                        #expect(config["quantization"] == "BF16" && config["architecture"] == "qwen2", "\(config)")
                        let asked = try await place.model("run", name, "Hello")
                        #expect(asked.status == 1 && asked.err.contains("holds no GGUF file"), "\(asked.text)")
                    }
                }
            }
        }

        /// The original's `--from … --push` keeps what it made to itself where only the configuration changes.
        @Test func aChangedConfigurationIsPushedToo() async throws {
            try await Workplace.with { place in
                try await RealRegistry.with(place) { registry in
                    _ = try await place.model("package", "--gguf", RealParts.pebble.string, "base")
                    let name = "\(registry.address)/test/short"
                    let shown = try await roundTrip(place, name, ["--from", "base", "--context-size", "512"])
                    #expect(shown["config"]?["context_size"] == 512)
                    #expect(try await ask(place, name) == Self.answer)
                }
            }
        }

        @Test func aModelfileGoesOutAndComesBack() async throws {
            try await Workplace.with { place in
                try await RealRegistry.with(place) { registry in
                    let modelfile = place.folder.appending("Modelfile")
                    let text = """
                        # Ollama's grammar
                        FROM \(RealParts.pebble)
                        PARAMETER temperature 0
                        PARAMETER num_ctx 512
                        PARAMETER repeat_last_n 8
                        PARAMETER presence_penalty 0
                        PARAMETER frequency_penalty 0
                        PARAMETER typical_p 1
                        PARAMETER seed 3
                        PARAMETER num_thread 1
                        PARAMETER stop white
                        TEMPLATE \"\"\"{{ .Prompt }}\"\"\"
                        SYSTEM You are Pebble.
                        """
                    try Files.write(ByteBuffer(string: text), to: modelfile)
                    let name = "\(registry.address)/test/custom"
                    let shown = try await roundTrip(place, name, ["--modelfile", modelfile.string])
                    #expect(shown["customization"]?["system"] == "You are Pebble.")
                    #expect(shown["customization"]?["template"] == "go (not executed)")
                    #expect(shown["config"]?["context_size"] == 512)
                    // The temperature is the model's own here, and so is the end of the answer.
                    let asked = try await place.model("run", name, Self.question)
                    #expect(asked.out == "Snow is \n" || asked.out == "Snow is\n", "\(asked.text)")
                    let show = try await place.model("show", name)
                    #expect(show.out.contains("System:        You are Pebble."), "\(show.text)")
                    #expect(show.out.contains("not executed"), "\(show.text)")

                    try Files.write(ByteBuffer(string: text + "\nFORM x\n"), to: modelfile)
                    let wrong = try await place.model("package", "--modelfile", modelfile.string, "x")
                    #expect(
                        wrong.status == 1 && wrong.err.contains("line 14: unknown instruction \"FORM\""),
                        "\(wrong.text)")
                }
            }
        }

        /// An adapter that adds nothing changes nothing; one that adds much changes the answer.
        @Test func adaptersArePutOnTheWeights() async throws {
            try await Workplace.with { place in
                try await RealRegistry.with(place) { registry in
                    let base = try GGUFFile(reading: RealParts.pebble)
                    let names = base.tensors.map(\.name).filter { $0.hasSuffix("ffn_down.weight") }
                    #expect(!names.isEmpty)
                    for (name, amount) in [("nothing", Float(0)), ("much", 0.5)] {
                        let file = place.folder.appending("\(name).gguf")
                        try Files.write(base.adapter(on: names, adding: amount).bytes, to: file)
                        let tag = "\(registry.address)/test/\(name)"
                        let shown = try await roundTrip(
                            place, tag, ["--gguf", RealParts.pebble.string, "--lora", file.string])
                        #expect(shown["customization"]?["adapters"] == 1)
                        let answer = try await ask(place, tag)
                        #expect((answer == Self.answer) == (amount == 0), "\(name): \(answer)")
                    }
                }
            }
        }
    }
}
