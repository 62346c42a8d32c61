import AsyncHTTPClient
import Core
import NIOCore
import SystemPackage
import Testing

@testable import RunnerAPI

@Suite(.timeLimit(.minutes(2))) struct AccessTests {
    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1", Audience.everything), ("::1", "::1", .everything),
        ("172.17.0.1", "172.17.0.2", .containers), ("::ffff:172.17.0.1", "172.17.0.2", .containers),
        ("192.168.1.5", "192.168.1.9", .keyHolders), ("127.0.0.1", "172.17.0.2", .keyHolders),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", .everything),
    ])
    func audiences(local: String, remote: String, expected: Audience) throws {
        let audience = try Audience(
            local: SocketAddress(ipAddress: local, port: 1), remote: SocketAddress(ipAddress: remote, port: 2),
            bridges: ["172.17.0.1"])
        #expect(audience == expected)
    }

    @Test func whoeverCannotBeToldApartNeedsAKey() {
        #expect(Audience(local: nil, remote: nil, bridges: ["172.17.0.1"]) == .keyHolders)
    }

    @Test(arguments: [
        ("POST", "/v1/chat/completions", true), ("POST", "/engines/v1/embeddings", true),
        ("POST", "/engines/llama.cpp/v1/completions", true), ("POST", "/anthropic/v1/messages/count_tokens", true),
        ("POST", "/api/chat", true), ("POST", "/api/show", true), ("POST", "/rerank", true),
        ("GET", "/v1/models/ai/pebble", true), ("GET", "/engines/v1/models", true), ("GET", "/api/tags", true),
        ("GET", "/", true), ("GET", "/engines/status", true), ("GET", "/v1/responses/resp_1", true),
        ("DELETE", "/v1/responses/resp_1", true),
        ("GET", "/models", false), ("POST", "/models/create", false), ("POST", "/models/x/chat", false),
        ("DELETE", "/models/pebble", false), ("POST", "/api/pull", false), ("DELETE", "/api/delete", false),
        ("POST", "/api/create", false), ("GET", "/engines/requests", false), ("GET", "/metrics", false),
        ("GET", "/logs", false), ("POST", "/engines/unload", false), ("POST", "/engines/_configure", false),
        ("POST", "/engines/install-backend", false), ("GET", "/engines/ps", false),
        ("PUT", "/v1/chat/completions", false),
        ("DELETE", "/models/responses/x", true),
    ])
    func inference(method: String, path: String, allowed: Bool) {
        // The last is no route at all: what is let through is still only what there is.
        #expect(Audience.isInference(method, path) == allowed)
    }

    private func folder(_ body: (FilePath) throws -> Void) throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "keys-")
        defer { try? Files.remove(folder) }
        try body(folder)
    }

    @Test func keysAreHashedAndFoundAgain() throws {
        try folder { folder in
            let file = KeyFile(folder.appending("keys.json"))
            #expect(try file.keys().isEmpty)
            let secret = APIKey.makeSecret()
            try file.write([APIKey(name: "ci", secret: secret, models: ["ai/x"], requestsPerMinute: 2)])
            let written = String(buffer: try Files.read(file.path))
            #expect(!written.contains(secret))
            let ring = KeyRing(file)
            let start = ContinuousClock.now
            let admitted = try [ring.admit(secret, now: start), ring.admit(secret, now: start)]
            #expect(admitted.map(\.name) == ["ci", "ci"] && admitted.first?.models == ["ai/x"])
            let limit = #expect(throws: KeyRing.RateLimited.self) { _ = try ring.admit(secret, now: start) }
            #expect(limit?.seconds == 30)
            _ = try ring.admit(secret, now: start + .seconds(30))
            for wrong in [nil, "", "wharf-nothing", secret + "x"] {
                #expect(throws: Failure.self) { _ = try ring.admit(wrong) }
            }
            // A file that changes counts at once.
            try file.write([])
            #expect(throws: Failure.self) { _ = try ring.admit(secret, now: start + .seconds(300)) }
        }
    }

    @Test func plainKeysMayBeWrittenByHand() throws {
        try folder { folder in
            let file = KeyFile(folder.appending("keys.json"))
            let text = #"{"keys":[{"name":"a","key":"0123456789abcdef"}]}"#
            try Files.write(ByteBuffer(string: text), to: file.path, mode: 0o600)
            #expect(try KeyRing(file).admit("0123456789abcdef").name == "a")
            try POSIX.changeMode(file.path, 0o644)
            #expect(throws: Failure.self) { _ = try file.keys() }
        }
    }

    @Test(arguments: [
        "[]", "{}", #"{"keys":[{}]}"#, #"{"keys":[{"name":"a","key":"short"}]}"#,
        #"{"keys":[{"name":"a","sha256":"12"}]}"#, #"{"keys":[{"name":"a","key":"0123456789abcdef","models":[1]}]}"#,
        #"{"keys":[{"name":"a","key":"0123456789abcdef","requests_per_minute":0}]}"#,
    ])
    func brokenKeyFilesAreRefused(text: String) throws {
        try folder { folder in
            let file = KeyFile(folder.appending("keys.json"))
            try Files.write(ByteBuffer(string: text), to: file.path, mode: 0o600)
            #expect(throws: Failure.self) { _ = try file.keys() }
        }
    }

    @Test func certificatesAreMadeOnceAndForTheirNames() throws {
        try folder { folder in
            let certificates = LocalCertificates(folder.appending("certs"))
            try certificates.prepare(for: ["localhost", "127.0.0.1"])
            let authority = try Files.read(certificates.authority)
            let server = try Files.read(certificates.certificate)
            try certificates.prepare(for: ["localhost"])
            #expect(try Files.read(certificates.certificate) == server)
            try certificates.prepare(for: ["localhost", "10.0.0.7"])
            #expect(try Files.read(certificates.certificate) != server)
            #expect(try Files.read(certificates.authority) == authority)
            #expect(try POSIX.status(certificates.key).mode & 0o777 == 0o600)
        }
    }
}
