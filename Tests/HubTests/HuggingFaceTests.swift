import AsyncHTTPClient
import Core
import NIOCore
import OCI
import SystemPackage
import TestSupport
import Testing

@testable import Hub

@Suite(.timeLimit(.minutes(2))) struct HuggingFaceTests {
    private static let large = ByteBuffer(repeating: 7, count: 5000)
    private static let small = ByteBuffer(string: "{\"a\":1}")
    private static let name = "hf.co/Org/Repo"

    private func run(
        token: String? = nil, _ body: (FakeHub, HuggingFace, BlobStore, FilePath) async throws -> Void
    ) async throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "wharf-hub-")
        defer { try? Files.remove(folder) }
        try await FakeHub.run { fake in
            fake.publish("Org/Repo", ["a.json": Self.small, "b/weights x.gguf": Self.large])
            try await HTTPClient.withHTTPClient(configuration: Registry.clientConfiguration) { client in
                let environment = Paths(environment: ["HF_ENDPOINT": fake.endpoint])
                let hub = try HuggingFace(
                    connections: Connections(direct: client, environment: environment), environment: environment,
                    userAgent: "wharf-tests/1", token: token, pause: { _ in })
                try await body(fake, hub, BlobStore(root: folder), folder)
            }
        }
    }

    private func reference(_ text: String = name) throws -> HubReference { try HubReference(parsing: text) }

    @Test func listsPageByPage() async throws {
        try await run { fake, hub, _, _ in
            let files = Dictionary(uniqueKeysWithValues: (0..<8).map { ("f\($0)", Self.small) })
            let commit = fake.publish("Org/Repo", files)
            let revision = try await hub.revision(of: reference())
            #expect(revision.commit == commit && revision.modified.rfc3339 == "2026-01-02T03:04:05Z")
            let listed = try await hub.files(of: reference(), at: commit)
            #expect(listed.map(\.path) == files.keys.sorted())
            #expect(listed.allSatisfy { $0.size == 7 && $0.sha256 == nil && $0.gitID == FakeHub.gitID(Self.small) })
        }
    }

    @Test func fetchesLargeAndSmallFiles() async throws {
        try await run { fake, hub, store, folder in
            let revision = try await hub.revision(of: reference())
            for file in try await hub.files(of: reference(), at: revision.commit) {
                let digest = try await hub.fetch(file, of: reference(), at: revision.commit, into: store)
                let expected = file.path == "a.json" ? Self.small : Self.large
                #expect(try store.read(digest) == expected)
            }
            #expect(try POSIX.list(folder.appending("blobs/sha256")).count == 2)
            // What is there is not asked for again.
            fake.forgetRequests()
            let large = try await hub.files(of: reference(), at: revision.commit).first { $0.sha256 != nil }
            _ = try await hub.fetch(try #require(large), of: reference(), at: revision.commit, into: store)
            #expect(!fake.requests.contains { $0.path.contains("resolve") || $0.path.contains("storage") })
        }
    }

    @Test func theTokenStaysAtHome() async throws {
        try await run(token: "hf_secret") { fake, hub, store, _ in
            fake.require(token: "hf_secret")
            let revision = try await hub.revision(of: reference())
            for file in try await hub.files(of: reference(), at: revision.commit) {
                _ = try await hub.fetch(file, of: reference(), at: revision.commit, into: store)
            }
            let (home, away) = (
                fake.requests.filter { $0.host.hasPrefix("127.0.0.1") },
                fake.requests.filter { $0.host.hasPrefix("localhost") }
            )
            #expect(home.count == 4 && home.allSatisfy { $0.token == "Bearer hf_secret" })
            #expect(away.count == 1 && away.allSatisfy { $0.token == nil })
        }
    }

    struct Refusal: Sendable {
        let fault: FakeHub.Fault
        var token: String?
        let code: Failure.Code
        let text: String
    }

    @Test(arguments: [
        Refusal(
            fault: .status(401, code: "GatedRepo"), code: .unauthorized,
            text: "gated: told so. Accept its terms at https"),
        Refusal(fault: .status(403, code: "GatedRepo"), token: "t", code: .forbidden, text: "Accept its terms"),
        Refusal(fault: .status(401, code: "RepoNotFound"), code: .unauthorized, text: "or is private (Unauthorized)"),
        Refusal(fault: .status(401), token: "t", code: .unauthorized, text: "whether the token in HF_TOKEN"),
        Refusal(fault: .status(403), token: "t", code: .forbidden, text: "needs the right to read"),
        Refusal(fault: .status(404), code: .notFound, text: "hf.co/Org/Repo not found at 127.0.0.1"),
        Refusal(fault: .status(404, code: "RevisionNotFound"), code: .notFound, text: "no such revision"),
        Refusal(fault: .status(429), code: .resourceExhausted, text: "Try again in 17 s; with HF_TOKEN set"),
        Refusal(fault: .status(503), code: .unavailable, text: "has a problem of its own (503)"),
        Refusal(fault: .html, code: .corrupted, text: "does not answer as Hugging Face's hub does"),
    ])
    func saysWhatToDo(_ refusal: Refusal) async throws {
        try await run(token: refusal.token) { fake, hub, _, _ in
            fake.fail("/revision/", with: refusal.fault)
            let failure = await #expect(throws: Failure.self) { try await hub.revision(of: reference()) }
            #expect(failure?.code == refusal.code)
            #expect(failure?.description.contains(refusal.text) == true, "\(failure?.description ?? "")")
        }
    }

    @Test(arguments: [FakeHub.Fault.endlessPages, .foreignPage])
    func aListingThatLeadsAstrayIsRefused(_ fault: FakeHub.Fault) async throws {
        try await run { fake, hub, _, _ in
            let files = Dictionary(uniqueKeysWithValues: (0..<8).map { ("f\($0)", Self.small) })
            let commit = fake.publish("Org/Repo", files)
            fake.fail("/tree/", with: fault)
            let failure = await #expect(throws: Failure.self) { try await hub.files(of: reference(), at: commit) }
            #expect(failure?.code == .corrupted)
            #expect(fake.requests.count <= 50 && !fake.requests.contains { $0.host.hasPrefix("localhost") })
        }
    }

    @Test(arguments: [
        (FakeHub.Fault.corrupted, Failure.Code.corrupted), (.truncated, .unavailable), (.status(403), .forbidden),
    ])
    func nothingStaysOfWrongBytes(_ fault: FakeHub.Fault, _ code: Failure.Code) async throws {
        try await run { fake, hub, store, folder in
            let revision = try await hub.revision(of: reference())
            for file in try await hub.files(of: reference(), at: revision.commit) {
                fake.fail(
                    file.sha256 == nil ? "/resolve/" : file.sha256.map { "/storage/\($0.hex)" } ?? "", with: fault)
                if case .status = fault, file.sha256 != nil { continue }
                let failure = await #expect(throws: Failure.self) {
                    try await hub.fetch(file, of: reference(), at: revision.commit, into: store)
                }
                #expect(failure?.code == code, "\(failure?.description ?? "")")
                fake.fail("/resolve/", with: nil)
            }
            var left = try POSIX.list(folder.appending("blobs/sha256"))
            // What came before a connection broke is for the next attempt.
            if case .truncated = fault { left.removeAll { $0.hasSuffix(".incomplete") } }
            #expect(left.isEmpty)
        }
    }

    @Test func goesOnWhereAnEarlierAttemptEnded() async throws {
        try await run { fake, hub, store, folder in
            let digest = Digest.sha256(of: Self.large)
            let partial = folder.appending("blobs/sha256/\(digest.hex).incomplete")
            try Files.makeDirectory(partial.removingLastComponent())
            try Files.write(ByteBuffer(repeating: 7, count: 1200), to: partial)
            let revision = try await hub.revision(of: reference())
            let files = try await hub.files(of: reference(), at: revision.commit)
            let file = try #require(files.first { $0.sha256 != nil })
            #expect(try await hub.fetch(file, of: reference(), at: revision.commit, into: store) == digest)
            #expect(store.contains(digest, size: 5000))
            #expect(fake.requests.last?.range == "bytes=1200-")
            #expect(!Files.exists(partial))
        }
    }

    @Test(arguments: [
        ["HF_ENDPOINT": "huggingface.co"], ["HF_ENDPOINT": "https://user@huggingface.co"],
        ["HF_ENDPOINT": "https://huggingface.co/path"], ["HF_TOKEN": "a b"], ["HF_TOKEN": "x\r\nHost: evil"],
        ["HF_ENDPOINT": "http://mirror.example", "HF_TOKEN": "hf_secret"],
    ])
    func refusesBadSettings(_ environment: [String: String]) async throws {
        try await HTTPClient.withHTTPClient(configuration: Registry.clientConfiguration) { client in
            let failure = #expect(throws: Failure.self) {
                try HuggingFace(
                    connections: Connections(direct: client, environment: Paths(environment: environment)),
                    environment: Paths(environment: environment), userAgent: "x")
            }
            #expect(failure.map { !$0.description.contains("hf_secret") && !$0.description.contains("evil") } == true)
        }
    }

    @Test(
        arguments: [
            ("<https://h/x?cursor=1>; rel=\"next\"", "https://h/x?cursor=1"), ("</x>; rel=next", "/x"),
            ("<a>; rel=\"prev\", <b>; rel=\"next\"", "b"), ("<a>; rel=\"prev\"", nil), ("nonsense", nil), ("", nil),
        ] as [(String, String?)])
    func readsLinks(_ header: String, _ expected: String?) { #expect(HuggingFace.nextLink(header) == expected) }
}
