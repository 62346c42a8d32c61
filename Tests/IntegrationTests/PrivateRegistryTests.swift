import Core
import NIOCore
import SystemPackage
import Testing

extension Integration {
    /// Registries that let in only who they know, and those with certificates of their own.
    @Suite(.enabled(if: RealParts.isThere), .timeLimit(.minutes(3))) struct PrivateRegistryTests {
        @Test func credentialsOfDockersFile() async throws {
            try await Workplace.with { place in
                try await RealRegistry.with(place, passwords: passwords(place)) { registry in
                    let name = "\(registry.address)/private/pebble:1"
                    let packaged = try await place.model("package", "--gguf", RealParts.pebble.string, name)
                    try #require(packaged.status == 0, "\(packaged.text)")

                    // The daemon runs already when its user logs in.
                    let refused = try await place.model("push", name)
                    #expect(refused.status == 1)
                    #expect(refused.err.contains("Unauthorized"), "\(refused.text)")
                    #expect(refused.err.contains("docker login \(registry.address)"), "\(refused.text)")
                    // me:s3cret-pw
                    try configure(place, #"{"auths":{"\#(registry.address)":{"auth":"bWU6czNjcmV0LXB3"}}}"#)
                    try await goesOutAndComesBack(place, name)

                    // me:wrong
                    try configure(place, #"{"auths":{"\#(registry.address)":{"auth":"bWU6d3Jvbmc="}}}"#)
                    await place.stopDaemon()
                    let wrong = try await place.model("pull", "\(registry.address)/private/pebble:2")
                    #expect(wrong.status == 1)
                    #expect(
                        wrong.err.contains(
                            "\(registry.address) answered Unauthorized to the credentials that are stored for it"),
                        "\(wrong.text)")
                    #expect(wrong.err.split(separator: "\n").count == 1, "\(wrong.text)")
                    let log = try String(
                        buffer: Files.read(place.folder.appending(".docker/model-runner/model-runner.log")))
                    #expect(!log.contains("s3cret-pw") && !log.contains("bWU6"))
                }
            }
        }

        /// docker-credential-pass keeps passwords in files that GnuPG encrypts.
        @Test func credentialsOfAHelper() async throws {
            try await Workplace.with { place in
                try await RealRegistry.with(place, passwords: passwords(place)) { registry in
                    let result: Result<Void, any Error>
                    do { result = .success(try await withHelper(place, registry)) } catch { result = .failure(error) }
                    _ = try await place.run("/usr/bin/env", ["gpgconf", "--kill", "all"])
                    try result.get()
                }
            }
        }

        private func withHelper(_ place: Workplace, _ registry: RealRegistry) async throws {
            func done(_ arguments: String..., input: String = "") async throws {
                let outcome = try await place.run("/usr/bin/env", arguments, input: input)
                try #require(outcome.status == 0, "\(arguments): \(outcome.text)")
            }
            try Files.makeDirectory(place.folder.appending(".gnupg"), mode: 0o700)
            try await done(
                "gpg", "--batch", "--passphrase", "", "--quick-generate-key", "tests@wharf.invalid", "default",
                "default")
            try await done("pass", "init", "tests@wharf.invalid")
            let entry = #"{"ServerURL":"\#(registry.address)","Username":"me","Secret":"s3cret-pw"}"#
            try await done("docker-credential-pass", "store", input: entry)

            let name = "\(registry.address)/private/pebble:1"
            let packaged = try await place.model("package", "--gguf", RealParts.pebble.string, name)
            try #require(packaged.status == 0, "\(packaged.text)")
            try configure(place, #"{"credHelpers":{"\#(registry.address)":"pass"}}"#)
            try await goesOutAndComesBack(place, name)

            try await done("docker-credential-pass", "erase", input: registry.address)
            await place.stopDaemon()
            let refused = try await place.model("pull", "\(registry.address)/private/pebble:2")
            #expect(refused.err.contains("a private repository needs docker login"), "\(refused.text)")

            try configure(place, #"{"credsStore":"nowhere"}"#)
            let missing = try await place.model("pull", "\(registry.address)/private/pebble:2")
            #expect(missing.err.contains("docker-credential-nowhere is not in PATH"), "\(missing.text)")
        }

        @Test func anAuthorityOfItsOwn() async throws {
            try await Workplace.with { place in
                let certificate = try await makeCertificate(place)
                try await RealRegistry.with(place, certificate: certificate) { registry in
                    let name = "\(registry.address)/pebble:1"
                    let packaged = try await place.model("package", "--gguf", RealParts.pebble.string, name)
                    try #require(packaged.status == 0, "\(packaged.text)")
                    let refused = try await place.model("push", name)
                    #expect(refused.status == 1)
                    #expect(
                        refused.err.contains("its certificate is not from an authority that this machine trusts"),
                        "\(refused.text)")

                    let folder = place.folder.appending(".docker/certs.d").appending(registry.address)
                    try Files.makeDirectory(folder)
                    try Files.write(
                        Files.read(place.folder.appending("ca.pem")), to: folder.appending("ca.crt"))
                    try await goesOutAndComesBack(place, name)

                    try Files.remove(folder)
                    _ = try await place.model("rm", name)
                    await place.stopDaemon()
                    let authority = ["WHARF_REGISTRY_CA": place.folder.appending("ca.pem").string]
                    let pulled = try await place.model("pull", name, with: authority)
                    #expect(pulled.status == 0, "\(pulled.text)")
                }
            }
        }

        private func goesOutAndComesBack(_ place: Workplace, _ name: String) async throws {
            let pushed = try await place.model("push", name)
            try #require(pushed.status == 0, "\(pushed.text)")
            let removed = try await place.model("rm", name)
            #expect(removed.status == 0, "\(removed.text)")
            let pulled = try await place.model("pull", name)
            try #require(pulled.status == 0, "\(pulled.text)")
            #expect(pulled.out.contains("Model pulled successfully"), "\(pulled.text)")
        }

        private func configure(_ place: Workplace, _ text: String) throws {
            try Files.makeDirectory(place.folder.appending(".docker"))
            try Files.write(ByteBuffer(string: text), to: place.folder.appending(".docker/config.json"), mode: 0o600)
        }

        /// One user, `me` with the password `s3cret-pw`.
        private func passwords(_ place: Workplace) async throws -> FilePath {
            let made = try await place.run("/usr/bin/env", ["htpasswd", "-niB", "me"], input: "s3cret-pw\n")
            try #require(made.status == 0, "\(made.text)")
            let path = place.folder.appending("passwords")
            try Files.write(ByteBuffer(string: made.out), to: path)
            return path
        }

        /// A certificate for 127.0.0.2 by an authority in `ca.pem`.
        private func makeCertificate(_ place: Workplace) async throws -> (file: FilePath, key: FilePath) {
            let script = """
                cd "$HOME"
                openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=wharf-tests
                openssl req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=registry
                printf 'subjectAltName=IP:127.0.0.2' >names
                openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out cert.pem
                """
            let made = try await place.run("/bin/sh", ["-ec", script])
            try #require(made.status == 0, "\(made.text)")
            return (place.folder.appending("cert.pem"), place.folder.appending("key.pem"))
        }
    }
}
