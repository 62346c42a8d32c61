import Core
import NIOCore
import SystemPackage
import Testing

extension Integration {
    /// `make install` puts two links where docker looks, and takes nothing away that it cannot put back.
    @Suite(.enabled(if: RealParts.isThere), .timeLimit(.minutes(2))) struct InstallTests {
        private func script(_ name: String, _ place: Workplace, _ extra: [String: String] = [:]) async throws
            -> Workplace.Outcome
        {
            let binary = try RealParts.path("WHARF_BIN")
            return try await place.run(
                RealParts.repository.appending("scripts/\(name)").string, [],
                ["WHARF_BIN": binary].merging(extra) { $1 })
        }

        @Test func anotherPluginIsKeptAndPutBack() async throws {
            try await Workplace.with { place in
                let plugins = place.folder.appending(".docker/cli-plugins")
                try Files.makeDirectory(plugins)
                let other = plugins.appending("docker-model")
                try Files.write(ByteBuffer(string: "#!/bin/sh\necho other\n"), to: other, mode: 0o755)

                let refused = try await script("install", place)
                #expect(refused.status != 0)
                #expect((refused.out + refused.err).contains("docker-model"), "\(refused.text)")
                #expect(String(buffer: try Files.read(other)).contains("echo other"))

                let forced = try await script("install", place, ["FORCE": "1"])
                try #require(forced.status == 0, "\(forced.text)")
                let metadata = try await place.run(other.string, ["docker-cli-plugin-metadata"])
                #expect(try JSON(parsing: metadata.out)["SchemaVersion"]?.string == "0.1.0")
                // Again changes nothing.
                #expect(try await script("install", place).status == 0)

                let removed = try await script("uninstall", place)
                try #require(removed.status == 0, "\(removed.text)")
                #expect(String(buffer: try Files.read(other)).contains("echo other"))
                #expect(!Files.exists(plugins.appending("docker-mcp")))
            }
        }

        @Test func withoutAHomeItSaysWhatIsMissing() async throws {
            try await Workplace.with { place in
                for name in ["install", "uninstall"] {
                    let outcome = try await script(name, place, ["HOME": ""])
                    #expect(outcome.status == 1)
                    #expect(
                        outcome.err == "\(name): HOME is not set; set it, or say where with PREFIX=DIR\n",
                        "\(outcome.text)")
                }
            }
        }

        @Test func aCopyThatFailsLeavesNoHalf() async throws {
            try await Workplace.with { place in
                let script = RealParts.repository.appending("scripts/install").string
                let outcome = try await place.run(
                    "/bin/bash", ["-c", "ulimit -f 8; exec \"$0\"", script],
                    ["WHARF_BIN": RealParts.path("WHARF_BIN"), "PREFIX": place.folder.appending("p").string])
                #expect(outcome.status == 1, "\(outcome.text)")
                #expect(outcome.err.contains("wharf.new; nothing was changed"), "\(outcome.text)")
                #expect(try POSIX.list(place.folder.appending("p/bin")) == [])
                #expect(try POSIX.list(place.folder.appending("p/lib/docker/cli-plugins")) == [])
            }
        }
    }
}
