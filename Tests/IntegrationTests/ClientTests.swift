import Core
import NIOCore
import SystemPackage
import Testing

extension Integration {
    /// PyPI's clients as they are, against the real engine.
    @Suite(.enabled(if: RealParts.isThere), .timeLimit(.minutes(5))) struct ClientTests {
        /// What a script of `Tests/Clients` saw.
        private func report(
            _ script: String, _ place: Workplace, _ arguments: String...
        ) async throws -> JSON {
            let packaged = try await place.model("package", "--gguf", RealParts.pebble.string, "pebble")
            try #require(packaged.status == 0, "\(packaged.text)")
            // The daemon is started by whoever comes first.
            _ = try await place.model("ls")
            let path = RealParts.repository.appending("Tests/Clients").appending(script).string
            let outcome = try await place.run(RealParts.path("WHARF_CLIENTS_PYTHON"), [path] + arguments)
            let report = try JSON(parsing: outcome.out)
            #expect(report["ok"] == true, "\(report["wrong"]?.text ?? outcome.text)")
            return report
        }

        @Test func anthropicsClientFindsWhatItKnows() async throws {
            try await Workplace.with { place in
                let report = try await report("anthropic_client.py", place, place.base, "ai/pebble")
                #expect(report["toolLoops"]?["right"]?.int == 8)
                #expect(report["errors"]?["unknownModel"]?["class"] == "NotFoundError")
            }
        }

        @Test func ollamasClientFindsWhatItKnows() async throws {
            try await Workplace.with { place in
                try await RealRegistry.with(place) { registry in
                    let report = try await report(
                        "ollama_client.py", place, place.base, "pebble", RealParts.pebble.string, registry.address)
                    #expect(report["toolLoops"]?["right"]?.int == 6)
                    #expect(report["errors"]?["showNone"]?["class"] == "ResponseError")
                }
            }
        }

        @Test func openAIsClientFindsMoreThanChat() async throws {
            try await Workplace.with { place in
                let report = try await report("openai_apis.py", place, "\(place.base)/v1", "ai/pebble")
                #expect(report["responsesTools"]?["right"]?.int == 4)
                #expect(report["errors"]?["tooLong"]?["class"] == "BadRequestError")
            }
        }
    }
}
