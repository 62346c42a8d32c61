import Core
import ModelStore
import NIOCore
import Subprocess
import SystemPackage
import TestSupport
import Testing

extension Integration {
    /// Hugging Face, search and the store's own commands, as one types them.
    @Suite(.enabled(if: RealParts.isThere), .timeLimit(.minutes(5))) struct HubTests {
        private func run(_ body: (Workplace, FakeHub, [String: String]) async throws -> Void) async throws {
            try await FakeHub.run { hub in
                hub.publish("Org/Pebble-GGUF", ["pebble-Q8_0.gguf": try Files.read(RealParts.pebble)])
                try await Workplace.with { place in
                    let variables = ["HF_ENDPOINT": hub.endpoint, "DOCKER_HUB_ENDPOINT": hub.endpoint]
                    try await body(place, hub, variables)
                }
            }
        }

        @Test func aPulledRepositoryAnswers() async throws {
            try await run { place, hub, variables in
                let pulled = try await place.model("pull", "hf.co/Org/Pebble-GGUF", with: variables)
                #expect(pulled.status == 0 && pulled.out.hasSuffix("Model pulled successfully\n"), "\(pulled.text)")
                #expect(pulled.out.contains("Downloaded 1.22MB of 1.22MB"), "\(pulled.text)")
                let again = try await place.model("pull", "hf.co/org/pebble-gguf", with: variables)
                #expect(again.status == 0 && again.out.hasPrefix("Using cached model: 1.22MB"), "\(again.text)")
                let answer = try await place.model(
                    "run", "--temperature", "0", "hf.co/Org/Pebble-GGUF", "What color is snow?", with: variables)
                #expect(answer.out == "Snow is white.\n", "\(answer.text)")
                let listed = try await place.model("ls", "hf.co/Org/Pebble-GGUF", "-q")
                #expect(listed.out.count == 13, "\(listed.text)")
                let pushed = try await place.model("push", "hf.co/org/pebble-gguf")
                #expect(pushed.status == 1 && pushed.err.contains("takes files by git"), "\(pushed.text)")
                let remote = try await place.model("inspect", "--remote", "hf.co/Org/Pebble-GGUF:q8_0")
                #expect(remote.out.contains("\"quantization\": \"Q8_0\""), "\(remote.text)")
                let removed = try await place.model("rm", "hf.co/org/pebble-gguf")
                #expect(removed.out.hasPrefix("Untagged: huggingface.co/org/pebble-gguf:latest\nDeleted: sha256:"))
            }
        }

        @Test func theTokenComesFromTheOneWhoAsks() async throws {
            try await run { place, hub, variables in
                hub.require(token: "hf_secret")
                // The daemon that this starts has no token.
                let refused = try await place.model("pull", "hf.co/Org/Pebble-GGUF", with: variables)
                #expect(refused.status == 1 && refused.err.contains("set HF_TOKEN"), "\(refused.text)")
                let pulled = try await place.model(
                    "pull", "hf.co/Org/Pebble-GGUF", with: variables.merging(["HF_TOKEN": "hf_secret"]) { $1 })
                #expect(pulled.status == 0, "\(pulled.text)")
                #expect(!hub.requests.contains { $0.host.hasPrefix("localhost") && $0.token != nil })
                let log = try await place.model("logs")
                #expect(!log.out.contains("hf_secret"))
            }
        }

        /// What another process is downloading is in nobody's index yet, and must stay all the same.
        @Test func pruningLeavesADownloadAlone() async throws {
            try await run { place, hub, variables in
                let parts = [UInt8(1), 2].map { number in
                    var file = ByteBuffer()
                    file.writeString("GGUF")
                    file.writeMultipleIntegers(UInt32(3), UInt64(1), UInt64(0), endianness: .little)
                    file.writeMultipleIntegers(UInt64(1), UInt8(ascii: "t"), UInt32(1), endianness: .little)
                    file.writeMultipleIntegers(UInt64(512), UInt32(0), UInt64(0), endianness: .little)
                    file.writeRepeatingByte(number, count: 4096)
                    return file
                }
                let digests = parts.map { String(FakeRegistry.digest($0).dropFirst(7)) }
                hub.publish("o/split", ["x-00001-of-00002.gguf": parts[0], "x-00002-of-00002.gguf": parts[1]])
                let promise = Promise<Void>()
                hub.fail("/storage/\(digests[1])", with: .held(promise))
                async let pulled = place.model("pull", "hf.co/o/split", with: variables)
                let done = place.models.appending("blobs").appending("sha256").appending(digests[0])
                try await eventually("the first part is there") { Files.exists(done) }
                // Two hours later another process, this one, cleans up.
                let later = Timestamp(seconds: Timestamp.now.seconds + 2 * 3600)
                let pruned = try ModelStore(root: place.models).prune(now: later)
                #expect(pruned.deleted.isEmpty && pruned.leftovers == 0 && Files.exists(done))
                let refused = try await place.model("purge", "-f")
                #expect(refused.status == 1 && refused.err.contains("is being downloaded"), "\(refused.text)")
                promise.fulfil(.success(()))
                let outcome = try await pulled
                #expect(outcome.status == 0, "\(outcome.text)")
                #expect(hub.requests.filter { $0.path.contains("/storage/") }.count == 2)
            }
        }

        @Test func searchesBothHubs() async throws {
            try await run { place, hub, variables in
                hub.answer(
                    "/api/models",
                    #"[{"id":"Org/Pebble-GGUF","downloads":45000,"likes":7,"pipeline_tag":"text-generation"}]"#)
                hub.answer(
                    "/api/models/Org/Pebble-GGUF/tree/main",
                    #"[{"type":"file","path":"x-Q4_0.gguf","size":1500,"oid":"0"}]"#)
                let one = try await place.model("search", "pebble", with: variables)
                #expect(one.status == 0 && one.err.hasPrefix("warning: cannot search Docker Hub:"), "\(one.text)")
                #expect(
                    one.lines.map { $0.split(separator: " ").map(String.init) } == [
                        ["NAME", "DESCRIPTION", "BACKEND", "SIZE", "DOWNLOADS", "STARS", "SOURCE"],
                        [
                            "hf.co/Org/Pebble-GGUF", "text-generation", "llama.cpp", "1.50kB", "45.0K", "7",
                            "HuggingFace",
                        ],
                    ], "\(one.text)")
                let json = try await place.model("search", "--source", "hf", "--json", with: variables)
                #expect(try JSON(parsing: json.out).array?.first?["Name"] == "hf.co/Org/Pebble-GGUF", "\(json.text)")
                let none = try await place.model("search", "--source", "dockerhub", with: variables)
                #expect(none.status == 1, "\(none.text)")
                let bad = try await place.model("search", "--source", "moon", with: variables)
                #expect(bad.status == 125, "\(bad.text)")
                #expect(place.daemonPID == nil)
            }
        }

        @Test func prunesAndPurges() async throws {
            try await run { place, _, _ in
                for name in ["x", "purge"] {
                    _ = try await place.model("package", "--gguf", RealParts.pebble.string, name)
                }
                let nobody = place.models.appending("blobs/sha256/\(String(repeating: "0", count: 64))")
                try Files.write(ByteBuffer(string: "nobody's"), to: nobody)
                let young = try await place.model("prune", "-f")
                #expect(young.out == "Total reclaimed space: 0B\n", "\(young.text)")
                _ = try await place.run("/usr/bin/env", ["touch", "-d", "2 hours ago", nobody.string])
                let asked = try await place.model("prune", input: "n\n")
                #expect(asked.status == 0 && asked.out.hasSuffix("[y/N] Operation cancelled.\n"), "\(asked.text)")
                let pruned = try await place.model("prune", input: "y\n")
                #expect(
                    pruned.out.hasSuffix(
                        "Deleted: sha256:\(String(repeating: "0", count: 64))\nTotal reclaimed space: 8B\n"),
                    "\(pruned.text)")
                // A model of this name is not everything.
                let removed = try await place.model("rm", "purge")
                #expect(removed.out == "Untagged: docker.io/ai/purge:latest\n", "\(removed.text)")
                #expect(try await place.model("ls", "-q").lines.count == 1)
                let purged = try await place.model("purge", "-f")
                #expect(purged.status == 0 && purged.out.isEmpty, "\(purged.text)")
                #expect(try await place.model("ls", "-q").out.isEmpty)
                #expect(try POSIX.list(place.models).filter { !$0.hasPrefix(".") } == ["layout.json", "models.json"])
            }
        }

        @Test func importsAndLists() async throws {
            try await run { place, hub, _ in
                let commit = String(repeating: "a", count: 40)
                let cache = place.folder.appending(".cache/huggingface/hub/models--Org--Pebble")
                let digest = FakeRegistry.digest(try Files.read(RealParts.pebble)).dropFirst(7)
                for folder in ["refs", "blobs", "snapshots/\(commit)"] {
                    try Files.makeDirectory(cache.pushing(FilePath(folder)))
                }
                try Files.write(ByteBuffer(string: commit), to: cache.appending("refs").appending("main"))
                try Files.write(Files.read(RealParts.pebble), to: cache.appending("blobs").appending(String(digest)))
                try POSIX.symbolicLink(
                    at: cache.pushing(FilePath("snapshots/\(commit)/pebble-Q8_0.gguf")),
                    to: FilePath("../../blobs/\(digest)"))
                let dry = try await place.model("import", "--huggingface", "--dry-run")
                #expect(
                    dry.status == 0 && dry.lines.last?.hasPrefix("huggingface.co/org/pebble:Q8_0  1.22MB") == true,
                    "\(dry.text)")
                #expect(!Files.exists(place.models.appending("models.json")))
                for arguments in [
                    ["--huggingface", "hf.co/org/pebble:q8_0"],
                    ["--huggingface=\(place.folder)/.cache/huggingface/hub"],
                ] {
                    let outcome = try await place.run(RealParts.path("WHARF_BIN"), ["model", "import"] + arguments)
                    #expect(
                        outcome.status == 0 && outcome.out.hasPrefix("Imported huggingface.co/org/pebble:Q8_0 as ")
                            && outcome.out.hasSuffix(": 1.22MB linked\n"), "\(outcome.text)")
                }
                let missing = try await place.model("import", "--ollama")
                #expect(
                    missing.status == 1 && missing.err.contains("is no folder of Ollama's models"), "\(missing.text)")
                let usage = try await place.model("import")
                #expect(usage.status == 1, "\(usage.text)")

                hub.answer("/v1/models", #"{"object":"list","data":[{"id":"remote-model","created":1700000000}]}"#)
                let listed = try await place.model("ls", "--openaiurl", "\(hub.endpoint)/v1/")
                #expect(listed.lines.count == 2 && listed.lines[1].hasPrefix("remote-model  "), "\(listed.text)")
            }
        }
    }
}
