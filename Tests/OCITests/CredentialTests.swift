import Core
import NIOCore
import SystemPackage
import TestSupport
import Testing

@testable import OCI

@Suite struct CredentialTests {
    private static let me = Credential.password(user: "me", secret: "s3:cret")

    @Test(
        arguments: [
            // me:s3:cret
            (#"{"auths":{"r.example":{"auth":"bWU6czM6Y3JldA=="}}}"#, "r.example", me),
            (#"{"auths":{"r.example":{"auth":"bWU6czM6Y3JldA=="}}}"#, "other.example", nil),
            (#"{"auths":{"r.example":{"auth":"bWU6czM6Y3JldA=="}}}"#, "r.example:5000", nil),
            (#"{"auths":{"r.example:5000":{"username":"me","password":"s3:cret"}}}"#, "r.example:5000", me),
            (#"{"auths":{"https://R.example/v2/":{"auth":"bWU6czM6Y3JldA"}}}"#, "r.example", me),
            (#"{"auths":{"https://index.docker.io/v1/":{"auth":"bWU6czM6Y3JldA=="}}}"#, "registry-1.docker.io", me),
            (#"{"auths":{"https://index.docker.io/v1/":{"auth":"bWU6czM6Y3JldA=="}}}"#, "docker.io.example", nil),
            // The exact name goes before one with a path of its own.
            (
                #"{"auths":{"r.example":{"auth":"bWU6czM6Y3JldA=="},"r.example/x":{"auth":"eDp5"}}}"#, "r.example", me
            ),
            (#"{"auths":{"r.example":{"identitytoken":"t","auth":"bWU6"}}}"#, "r.example", .identityToken("t")),
            (#"{"auths":{"r.example":{"username":"<token>","password":"t"}}}"#, "r.example", .identityToken("t")),
            (#"{"auths":{"r.example":{"registrytoken":"t"}}}"#, "r.example", .registryToken("t")),
            // me:\0, bad base64, no colon, empty: no credentials rather than wrong ones.
            (#"{"auths":{"r.example":{"auth":"bWU6AA=="}}}"#, "r.example", nil),
            (#"{"auths":{"r.example":{"auth":"%%%"}}}"#, "r.example", nil),
            (#"{"auths":{"r.example":{"auth":"bWU="}}}"#, "r.example", nil),
            (#"{"auths":{"r.example":{}}}"#, "r.example", nil),
            (#"{"auths":["r.example"],"credHelpers":7}"#, "r.example", nil),
            ("{}", "r.example", nil),
        ] as [(String, String, Credential?)])
    func ofDockersFile(text: String, host: String, credential: Credential?) async throws {
        try await withTemporaryDirectory { folder in
            try Files.write(ByteBuffer(string: text), to: folder.appending("config.json"))
            let credentials = Credentials(environment: Paths(environment: ["DOCKER_CONFIG": folder.string]))
            #expect(try await credentials.find(for: host) == credential)
        }
    }

    @Test(arguments: ["", "[]", "{", "7"])
    func aBrokenFileIsNamed(_ text: String) async throws {
        try await withTemporaryDirectory { folder in
            try Files.write(ByteBuffer(string: text), to: folder.appending("config.json"))
            let credentials = Credentials(environment: Paths(environment: ["DOCKER_CONFIG": folder.string]))
            let failure = await #expect(throws: Failure.self) { try await credentials.find(for: "r.example") }
            #expect(failure?.description.contains("cannot use \(folder)/config.json") == true)
        }
    }

    @Test(
        arguments: [
            (["DOCKER_USERNAME": "me", "DOCKER_PASSWORD": "s3:cret"], "registry-1.docker.io", me),
            (["DOCKER_HUB_USER": "me", "DOCKER_HUB_PASSWORD": "s3:cret"], "registry-1.docker.io", me),
            (["DOCKER_USERNAME": "me", "DOCKER_PASSWORD": "s3:cret"], "ghcr.io", nil),
            (["DOCKER_USERNAME": "me", "DOCKER_PASSWORD": "s3:cret"], "127.0.0.1:5000", nil),
            (["DOCKER_HUB_USER": "me", "DOCKER_HUB_PASSWORD": "s3:cret"], "docker.io.example", nil),
            (["DOCKER_USERNAME": "me", "DOCKER_HUB_PASSWORD": "s3:cret"], "registry-1.docker.io", nil),
        ] as [([String: String], String, Credential?)])
    func ofTheEnvironmentAreDockerHubsAlone(
        environment: [String: String], host: String, credential: Credential?
    ) async throws {
        let paths = Paths(environment: environment.merging(["HOME": "/nonexistent"]) { $1 })
        #expect(try await Credentials(environment: paths).find(for: host) == credential)
    }

    @Test func nothingPrintsASecret() {
        for credential in [Self.me, .identityToken("s3:cret"), .registryToken("s3:cret")] {
            #expect(!"\(credential)\(String(reflecting: credential))".contains("s3:cret"))
            var dumped = ""
            dump(credential, to: &dumped)
            #expect(!dumped.contains("s3:cret"))
        }
    }

    @Test(arguments: ["", "a/b", "../x", "a b", "a;b", "-x", ".x", "a\nb", String(repeating: "a", count: 65), "é"])
    func aHelpersNameIsOnlyAName(_ name: String) {
        let failure = #expect(throws: Failure.self) { try CredentialHelper(name: name, environment: [:]) }
        #expect(failure?.code == .invalidArgument)
    }

    @Test func base64() {
        #expect(Base64.decode("") == [])
        #expect(Base64.decode("AA==") == [0])
        #expect(Base64.decode("+/+/") == [0xFB, 0xFF, 0xBF])
        #expect(Base64.decode("aGVsbG8") == Array("hello".utf8))
        for bad in ["A", "AAAAA", "A A=", "AA=A", "-_-_", "===="] { #expect(Base64.decode(bad) == nil, "\(bad)") }
    }
}

/// Helpers as shell scripts, for what real ones do not do on request.
@Suite struct CredentialHelperTests {
    /// Runs `body` with a helper of this text in PATH.
    private func with(_ script: String, _ body: (CredentialHelper, FilePath) async throws -> Void) async throws {
        try await withTemporaryDirectory { folder in
            let path = folder.appending("docker-credential-fake")
            try Files.write(ByteBuffer(string: "#!/bin/sh\n\(script)\n"), to: path, mode: 0o755)
            let environment = ["PATH": "relative:\(folder.string):/usr/bin:/bin", "OUT": folder.string]
            try await body(CredentialHelper(name: "fake", environment: environment), folder)
        }
    }

    @Test func isAskedOnItsStandardInput() async throws {
        try await with(#"cat > "$OUT/asked"; echo "$@" > "$OUT/args"; echo '{"Username":"me","Secret":"pw"}'"#) {
            helper, folder in
            let found = try await helper.credential(for: "r.example:5000")
            #expect(found == .password(user: "me", secret: "pw"))
            #expect(try String(buffer: Files.read(folder.appending("asked"))) == "r.example:5000")
            #expect(try String(buffer: Files.read(folder.appending("args"))) == "get\n")
        }
    }

    @Test(arguments: [
        "echo 'credentials not found in native keychain'; exit 1", "echo 'no credentials server URL'; exit 1",
        #"echo '{"Username":"","Secret":""}'"#,
    ])
    func mayKnowNothing(_ script: String) async throws {
        try await with(script) { helper, _ in
            let found = try await helper.credential(for: "r.example")
            #expect(found == nil)
        }
    }

    @Test(
        arguments: [
            ("echo 'gpg: decryption failed'; exit 1", "docker-credential-fake failed: gpg: decryption failed"),
            ("exit 3", "docker-credential-fake failed: it says nothing"),
            ("echo nonsense", "no credentials that can be understood"),
            (#"echo '{"Username":"me"}'"#, "no credentials that can be understood"),
            ("kill -9 $$", "docker-credential-fake failed"),
            ("exec yes", "cannot run docker-credential-fake or read what it says"),
        ] as [(String, String)])
    func mayFail(script: String, says: String) async throws {
        try await with(script) { helper, _ in
            let failure = await #expect(throws: Failure.self) { try await helper.credential(for: "r.example") }
            #expect(failure?.code == .failedPrecondition)
            #expect(failure?.description.contains(says) == true, "\(String(describing: failure))")
        }
    }

    @Test func isNotWaitedForForEver() async throws {
        try await with("exec sleep 600") { helper, _ in
            let impatient = try CredentialHelper(
                name: helper.name, environment: helper.environment, limit: .milliseconds(1))
            let failure = await #expect(throws: Failure.self) { try await impatient.credential(for: "r.example") }
            #expect(failure?.code == .timedOut)
        }
    }

    @Test func endsWithTheTaskThatAsks() async throws {
        try await with("echo $$ > \"$OUT/new\"; mv \"$OUT/new\" \"$OUT/pid\"; exec sleep 600") { helper, folder in
            let asking = Task { try await helper.credential(for: "r.example") }
            while !Files.exists(folder.appending("pid")) { await Task.yield() }
            asking.cancel()
            _ = await asking.result
            let pid = Int32(String(buffer: try Files.read(folder.appending("pid"))).filter(\.isNumber))
            #expect(try POSIX.send(signal: 0, to: #require(pid)) == false)
        }
    }

    @Test func aMissingOneIsNamed() async throws {
        let helper = try CredentialHelper(name: "none", environment: ["PATH": "/nonexistent"])
        let failure = await #expect(throws: Failure.self) { try await helper.credential(for: "r.example") }
        #expect(failure?.description.contains("docker-credential-none is not in PATH") == true)
    }
}
