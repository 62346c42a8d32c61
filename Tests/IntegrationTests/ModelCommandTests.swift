import Core
import NIOCore
import Subprocess
import SystemPackage
import Testing

extension Integration {
    /// What one does with models besides asking them, with the real engine.
    @Suite(.enabled(if: RealParts.isThere), .timeLimit(.minutes(5))) struct ModelCommandTests {
        @Test func twoModelsRunAtOnceAndOneIsUnloaded() async throws {
            try await Workplace.with { place in
                #expect(try await place.model("ps").out == "MODEL NAME  BACKEND  MODE  UNTIL  CONTEXT  MEMORY  \n")
                #expect(try await place.model("unload", "--all").out == "No models are running.\n")
                // Asking what runs has started nothing.
                #expect(place.daemonPID == nil)
                for (name, size) in [("pebble", "2048"), ("pebble-short", "512")] {
                    let packaged = try await place.model(
                        "package", "--gguf", RealParts.pebble.string, "--context-size", size, name)
                    try #require(packaged.status == 0, "\(packaged.text)")
                }
                let answer = try await place.model("run", "--temperature", "0", "pebble", "What color is snow?")
                #expect(answer.out == "Snow is white.\n", "\(answer.text)")
                let second = try await place.model("run", "--temperature", "0", "pebble-short", "What color is grass?")
                #expect(second.out == "Grass is green.\n", "\(second.text)")
                #expect(try await names(place) == ["pebble", "pebble-short"])

                #expect(try await place.model("unload", "pebble").out == "Unloaded 1 model(s).\n")
                #expect(try await names(place) == ["pebble-short"])
                #expect(try await place.model("stop", "pebble").out == "No such model(s) running.\n")
                #expect(try await place.model("unload", "--all", "--backend", "vllm").out == "No models are running.\n")
                #expect(try await place.model("unload", "--all").out == "Unloaded 1 model(s).\n")
                let usage = try await place.model("unload")
                #expect(usage.status == 1, "\(usage.text)")

                let log = try await place.model("logs")
                #expect(log.out.contains("engine=llama.cpp model=docker.io/ai/pebble-short:latest"), "\(log.text)")
                let quiet = try await place.model("logs", "--no-engines")
                #expect(quiet.out.contains("llama.cpp is ready") && !quiet.out.contains("engine="), "\(quiet.text)")
                let space = try await place.model("df")
                #expect(space.lines.map { $0.split(separator: " ") } == [["TYPE", "SIZE"], ["Models", "1.23MB"]])
            }
        }

        private func names(_ place: Workplace) async throws -> [String] {
            let listed = try await place.model("ps")
            for line in listed.lines.dropFirst() { #expect(line.contains("minutes from now"), "\(listed.text)") }
            return listed.lines.dropFirst().map { String($0.prefix { $0 != " " }) }.sorted()
        }

        @Test func anArchiveBringsAModelBackUnderItsIDAndName() async throws {
            try await Workplace.with { place in
                let file = place.folder.appending("pebble.tar").string
                _ = try await place.model("package", "--gguf", RealParts.pebble.string, "first")
                let tagged = try await place.model("tag", "first", "second:v1")
                #expect(tagged.out == "Model \"first\" tagged successfully with \"second:v1\"\n", "\(tagged.text)")
                let id = try await place.model("ls", "-q").out
                let saved = try await place.model("save", "second:v1", "-o", file)
                #expect(saved.status == 0 && saved.out.isEmpty, "\(saved.text)")
                let listed = try await place.run("/usr/bin/env", ["tar", "tf", file])
                #expect(
                    listed.status == 0 && listed.err.isEmpty && listed.lines.last == "manifest.json", "\(listed.text)")

                _ = try await place.model("rm", "first", "second:v1")
                #expect(try await place.model("ls", "-q").out.isEmpty)
                let loaded = try await place.run(
                    "/bin/sh", ["-c", "\"$0\" model load < \"$1\"", try RealParts.path("WHARF_BIN"), file])
                #expect(loaded.out == "Loaded model: docker.io/ai/second:v1\n", "\(loaded.text)")
                #expect(try await place.model("ls", "-q").out == id)
                let again = try await place.run(
                    "/bin/sh",
                    ["-c", "\"$0\" model export second:v1 | cmp - \"$1\"", try RealParts.path("WHARF_BIN"), file])
                #expect(again.status == 0, "\(again.text)")

                let bad = try await place.model("load", "-i", RealParts.pebble.string)
                #expect(bad.status == 1 && bad.err == "cannot load the model: this is no tar archive\n", "\(bad.text)")
                let missing = try await place.model("save", "none", "-o", file)
                #expect(missing.status == 1 && missing.err.hasPrefix("no such model: none"), "\(missing.text)")
                let shown = try await place.model("show", "second:v1")
                #expect(shown.out.hasPrefix("Model:       sha256:"), "\(shown.text)")
            }
        }

        @Test func aFollowedLogGoesOnUntilTheDaemonEnds() async throws {
            try await Workplace.with { place in
                _ = try await place.model("package", "--gguf", RealParts.pebble.string, "pebble")
                async let followed = place.model("logs", "-f", "--no-engines")
                try await eventually("the daemon runs") { place.daemonPID != nil }
                _ = try await place.model("run", "-d", "pebble")
                await place.stopDaemon()
                let outcome = try await followed
                #expect(outcome.status == 0, "\(outcome.text)")
                #expect(outcome.out.contains("llama.cpp is ready"), "\(outcome.text)")
            }
        }
    }
}
