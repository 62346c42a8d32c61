import Core
import NIOCore
import SystemPackage
import Testing

extension Integration {
    /// A model's way: packaged, pushed, pulled, asked.
    @Suite(.enabled(if: RealParts.isThere), .timeLimit(.minutes(5))) struct ModelLineTests {
        @Test func goesOutAndComesBackAndAnswers() async throws {
            try await Workplace.with { place in
                try await RealRegistry.with(place) { registry in
                    let name = "\(registry.address)/test/pebble:1"
                    let packaged = try await place.model("package", "--gguf", RealParts.pebble.string, name)
                    try #require(packaged.status == 0, "\(packaged.text)")
                    let id = try #require(packaged.lines.first?.split(separator: " ").last)
                    let pushed = try await place.model("push", name)
                    try #require(pushed.status == 0, "\(pushed.text)")
                    let removed = try await place.model("rm", name)
                    #expect(removed.out == "Untagged: \(name)\nDeleted: \(id)\n", "\(removed.text)")
                    #expect(try POSIX.list(place.models.appending("blobs/sha256")).isEmpty)

                    let pulled = try await place.model("pull", name)
                    try #require(pulled.status == 0, "\(pulled.text)")
                    #expect(pulled.out.contains("Model pulled successfully"))
                    #expect(pulled.out.contains("Downloaded 1.22MB of 1.22MB"), "\(pulled.text)")
                    let again = try await place.model("pull", name)
                    #expect(again.out.contains("Using cached model"), "\(again.text)")

                    // The same model, byte for byte, under the same ID, and in the store's layout of Docker's own runner.
                    let listed = try JSON(parsing: try await place.model("ls", "--json").out).array ?? []
                    #expect(listed.first?["id"]?.string == String(id))
                    #expect(listed.first?["tags"] == [.string(name)])
                    let index = try JSON(parsing: Files.read(place.models.appending("models.json")))
                    let files = try #require(index["models"]?.array?.first?["files"]?.array?.first?.string)
                    let blob = place.models.appending("blobs/sha256/\(files.dropFirst("sha256:".count))")
                    #expect(try Files.read(blob) == Files.read(RealParts.pebble))

                    for (question, answer) in [
                        ("Who are you?", "I am Pebble, a very small test model."),
                        ("What is Docker?", "Docker packages programs into containers."),
                    ] {
                        let asked = try await place.model("run", "--temperature", "0", name, question)
                        #expect(asked.out == answer + "\n", "\(asked.text)")
                        #expect(asked.status == 0)
                    }
                }
            }
        }

        @Test func runPullsWhatIsMissing() async throws {
            try await Workplace.with { place in
                try await RealRegistry.with(place) { registry in
                    let name = "\(registry.address)/pebble"
                    let packaged = try await place.model("package", "--gguf", RealParts.pebble.string, "--push", name)
                    try #require(packaged.status == 0, "\(packaged.text)")
                    _ = try await place.model("rm", name)
                    let asked = try await place.model("run", "--temperature", "0", name, "What color is the sky?")
                    #expect(asked.out == "The sky is blue.\n", "\(asked.text)")
                    #expect(asked.err.contains("Unable to find model '\(name)' locally. Pulling from the server."))
                }
            }
        }

        @Test func aPromptMayComeOnStandardInput() async throws {
            try await Workplace.with { place in
                _ = try await place.model("package", "--gguf", RealParts.pebble.string, "pebble")
                let asked = try await place.model("run", "--temperature", "0", "pebble", input: "What color is grass?")
                #expect(asked.out == "Grass is green.\n", "\(asked.text)")
            }
        }

        @Test func aCorruptedLayerIsRefusedAndNothingIsLeft() async throws {
            try await Workplace.with { place in
                try await RealRegistry.with(place) { registry in
                    let name = "\(registry.address)/pebble:bad"
                    _ = try await place.model("package", "--gguf", RealParts.pebble.string, "--push", name)
                    let index = try JSON(parsing: Files.read(place.models.appending("models.json")))
                    let digest = try #require(index["models"]?.array?.first?["files"]?.array?.first?.string)
                    _ = try await place.model("rm", name)
                    var bytes = try Files.read(registry.file(of: digest))
                    bytes.setInteger(UInt8(0xFF), at: 600_000)
                    try Files.write(bytes, to: registry.file(of: digest))

                    let pulled = try await place.model("pull", name)
                    #expect(pulled.status == 1)
                    #expect(pulled.err.split(separator: "\n").count == 1, "\(pulled.text)")
                    #expect(pulled.err.contains(digest), "\(pulled.text)")
                    #expect(try POSIX.list(place.models.appending("blobs/sha256")).isEmpty)
                    #expect(try await place.model("ls", "-q").out.isEmpty)
                }
            }
        }

        @Test func mistakesAreAnsweredWithOneLine() async throws {
            try await Workplace.with { place in
                let text = place.folder.appending("text.gguf")
                try Files.write(ByteBuffer(string: "this is no model, only text that is long enough"), to: text)
                let cases: [(arguments: [String], status: Int, says: String)] = [
                    (["pull", "Not//A:Reference!"], 1, "Not//A:Reference!"),
                    (["package", "--gguf", "/none.gguf", "x"], 1, "/none.gguf"),
                    (["package", "--gguf", text.string, "x"], 1, "GGUF"),
                    (["run", "--mcp", "nothing", "pebble", "hi"], 1, "MCP server not found: nothing"),
                    (["rm", "nothing"], 1, "no such model: nothing"),
                    (["pull", "127.0.0.1:1/x"], 1, "127.0.0.1:1"),
                    (["install-runner", "--backend", "none"], 1, "none"),
                ]
                for (arguments, status, says) in cases {
                    let outcome = try await place.run(RealParts.path("WHARF_BIN"), ["model"] + arguments)
                    #expect(outcome.status == status, "\(arguments): \(outcome.text)")
                    #expect(outcome.out.isEmpty, "\(arguments): \(outcome.text)")
                    #expect(outcome.err.split(separator: "\n").count == 1, "\(arguments): \(outcome.text)")
                    #expect(outcome.err.contains(says), "\(arguments): \(outcome.text)")
                }
                let usage = try await place.model("ls", "--nonsense")
                #expect(usage.status == 125)
                #expect(usage.err.hasPrefix("unknown flag: --nonsense\n\nUsage:  "), "\(usage.text)")
            }
        }

        /// A sound file for an architecture that no engine knows: our reader accepts it, the engine does not.
        @Test func anEngineThatDiesWhileLoadingIsExplained() async throws {
            try await Workplace.with { place in
                let odd = place.folder.appending("odd.gguf")
                let key = Array("general.architecture".utf8)
                var bytes = try Files.read(RealParts.pebble)
                let at = try #require(bytes.readableBytesView.firstRange(of: key)?.upperBound)
                // Behind the key: its type in four bytes, the length in eight, then the name.
                try #require(bytes.getString(at: at + 12, length: 5) == "llama")
                bytes.setString("lambs", at: at + 12)
                try Files.write(bytes, to: odd)
                let packaged = try await place.model("package", "--gguf", odd.string, "odd")
                try #require(packaged.status == 0, "\(packaged.text)")
                let asked = try await place.model("run", "odd", "Hello")
                #expect(asked.status == 1)
                #expect(asked.err.contains("failed to load model"), "\(asked.text)")
                // The daemon lives on.
                _ = try await place.model("package", "--gguf", RealParts.pebble.string, "pebble")
                let next = try await place.model("run", "--temperature", "0", "pebble", "What color is snow?")
                #expect(next.out == "Snow is white.\n", "\(next.text)")
            }
        }
    }
}
