import Core
import Crypto
import NIOCore
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import OCI

/// A registry's side of uploads: sessions that grow piece by piece, and a log of what was done to them.
private final class UploadScript: Sendable {
    struct State {
        var sessions: [String: ByteBuffer] = [:]
        var blobs: [String: ByteBuffer] = [:]
        /// Repositories from which a blob can be mounted.
        var mountable = Set<String>()
        var begun = 0
        var forgets = false
        var log: [String] = []
        /// Answers to give instead, by the number of the piece or `PUT`.
        var faults: [String: [ScriptedServer.Answer]] = [:]
        var headers: [(String, String)] = []
    }

    let state = Mutex(State())

    var log: [String] { state.withLock { $0.log } }
    var blobs: [String: ByteBuffer] { state.withLock { $0.blobs } }
    func fail(_ method: String, with answers: ScriptedServer.Answer...) {
        state.withLock { $0.faults[method] = answers }
    }

    @Sendable func answer(_ request: ScriptedServer.Request) -> ScriptedServer.Answer {
        state.withLock { state in
            let name = request.path.split(separator: "/").last.map(String.init) ?? ""
            switch request.method {
            case "HEAD": return .http(state.blobs[name] == nil ? 404 : 200)
            case "POST":
                state.log.append("POST" + (request.parameter("from").map { " from \($0)" } ?? ""))
                if let source = request.parameter("from"), state.mountable.contains(source) { return .http(201) }
                if let fault = state.faults["POST"]?.popFirstAnswer() { return fault }
                state.begun += 1
                state.sessions["\(state.begun)"] = ByteBuffer()
                return .http(202, [("Location", "/v2/ai/x/blobs/uploads/\(state.begun)?s=0")] + state.headers)
            case "PATCH", "PUT", "GET":
                let range = request.header("Content-Range")
                state.log.append(
                    "\(request.method)\(range.map { " \($0)" } ?? "")" + (request.isCut ? " cut" : ""))
                if let fault = state.faults[request.method]?.popFirstAnswer() { return fault }
                guard var bytes = state.sessions[name], !(state.forgets && request.method == "GET") else {
                    return .http(404, [], #"{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}"#)
                }
                if let range, range.prefix(while: { $0 != "-" }) != "\(bytes.readableBytes)" { return .http(416) }
                bytes.writeImmutableBuffer(request.body)
                state.sessions[name] = bytes
                if request.method == "PUT" {
                    let digest = request.parameter("digest") ?? ""
                    guard FakeRegistry.digest(bytes) == digest else { return .http(400) }
                    state.blobs[digest] = bytes
                    return .http(201, [("Docker-Content-Digest", digest)])
                }
                let location = ("Location", "/v2/ai/x/blobs/uploads/\(name)?s=\(bytes.readableBytes)")
                let last = ("Range", "0-\(max(0, bytes.readableBytes - 1))")
                return .http(request.method == "PATCH" ? 202 : 204, [location, last])
            default: return .http(405)
            }
        }
    }
}

extension [ScriptedServer.Answer] {
    fileprivate mutating func popFirstAnswer() -> ScriptedServer.Answer? { isEmpty ? nil : removeFirst() }
}

@Suite struct UploadTests {
    private static let size = 2_500_000
    private static let bytes = {
        // No piece of it is like another, and it is made quickly.
        var bytes = ByteBuffer()
        for number in 0..<UInt64(size / 8) { bytes.writeInteger(number) }
        return bytes
    }()

    /// Pushes a blob of 2.5 MB in pieces of 1 MB, or whole.
    @discardableResult
    private func push(
        whole: Bool = false, mounting: [String] = [], _ prepare: (UploadScript, ScriptedServer) -> Void = { _, _ in }
    ) async throws -> (UploadScript, [Int64], [Duration]) {
        let script = UploadScript()
        let counts = Mutex<[Int64]>([])
        var pauses: [Duration] = []
        try await withScript(script.answer) { server, registry, taken in
            var registry = registry
            registry.sizes = .init(whole: whole ? .max : 0, piece: 1_000_000)
            prepare(script, server)
            try await withTemporaryDirectory { root in
                let store = BlobStore(root: root)
                let bytes = Self.bytes
                let digest = try store.store(bytes)
                let blob = Descriptor(mediaType: MediaType.gguf, digest: digest, size: Int64(Self.size))
                try await registry.pushBlob(
                    blob, file: store.path(of: digest), to: Reference(parsing: "\(server.address)/ai/x"),
                    mounting: mounting
                ) { count in counts.withLock { $0.append(count) } }
                if mounting.isEmpty { #expect(script.blobs[digest.description] == bytes) }
            }
            pauses = taken.taken
        }
        let seen = counts.withLock { $0 }
        #expect(seen == seen.sorted() && seen.last == Int64(Self.size), "\(seen)")
        return (script, seen, pauses)
    }

    private static let pieces = ["PATCH 0-999999", "PATCH 1000000-1999999", "PATCH 2000000-2499999"]

    @Test func goesInPieces() async throws {
        let (script, _, _) = try await push()
        #expect(script.log == ["POST"] + Self.pieces + ["PUT"])
    }

    @Test func goesAtOnce() async throws {
        let (script, _, _) = try await push(whole: true)
        #expect(script.log == ["POST", "PUT"])
    }

    @Test func piecesAreAsLargeAsTheRegistryWants() async throws {
        let (script, _, _) = try await push { script, _ in
            script.state.withLock { $0.headers = [("OCI-Chunk-Min-Length", "2000000")] }
        }
        #expect(script.log == ["POST", "PATCH 0-1999999", "PATCH 2000000-2499999", "PUT"])
    }

    @Test func aPieceThatBreaksGoesOnFromWhereTheRegistryIs() async throws {
        let (script, _, pauses) = try await push { _, server in server.cutBody(after: 700_000) }
        #expect(
            script.log == ["POST", "PATCH 0-999999 cut", "GET", "PATCH 700000-1699999", "PATCH 1700000-2499999", "PUT"])
        #expect(pauses == [.seconds(1)])
    }

    @Test(arguments: [.http(503), .http(502), .http(416), .close] as [ScriptedServer.Answer])
    func aRefusedPieceIsSentAgain(_ answer: ScriptedServer.Answer) async throws {
        let (script, _, pauses) = try await push { script, _ in script.fail("PATCH", with: answer) }
        #expect(script.log == ["POST", Self.pieces[0], "GET"] + Self.pieces + ["PUT"])
        #expect(pauses == [.seconds(1)])
    }

    @Test(arguments: [400, 404, 405, 411, 501])
    func aRegistryThatTakesNoPiecesGetsAllAtOnce(_ status: Int) async throws {
        let (script, _, pauses) = try await push { script, _ in script.fail("PATCH", with: .http(status)) }
        #expect(script.log == ["POST", Self.pieces[0], "POST", "PUT"])
        #expect(pauses.isEmpty)
    }

    @Test func aLostUploadBeginsAnew() async throws {
        let (script, _, pauses) = try await push { script, server in
            script.state.withLock { $0.forgets = true }
            server.cutBody(after: 700_000)
        }
        #expect(script.log == ["POST", "PATCH 0-999999 cut", "GET", "POST"] + Self.pieces + ["PUT"])
        #expect(pauses == [.seconds(1), .seconds(1)])
    }

    @Test func aWholeUploadThatBreaksBeginsAnew() async throws {
        let (script, _, _) = try await push(whole: true) { _, server in server.cutBody(after: 700_000) }
        #expect(script.log == ["POST", "PUT cut", "POST", "PUT"])
    }

    @Test(
        arguments: [
            (.http(500), .unavailable, "(500)", 1), (.http(403), .forbidden, "denied", 1),
            (.http(413), .internalError, "413", 1), (.http(503), .unavailable, "(503)", 5),
            (.http(202, [("Range", "0-999999")]), .corrupted, "no valid place to upload to", 1),
            (.http(202, [("Location", "http://other.example/x")]), .forbidden, "sent to http://other.example", 1),
            (.http(202, [("Location", "https://127.0.0.1/x")]), .forbidden, "sent to https://127.0.0.1", 1),
            (.http(202, [("Location", "/x"), ("Range", "0-5000000")]), .corrupted, "has 5000001 bytes", 1),
            (.http(202, [("Location", "/x"), ("Range", "7-9")]), .corrupted, "impossible range", 1),
            (.http(202, [("Location", "/x"), ("Range", "0-0")]), .corrupted, "has 0 bytes", 1),
            (.http(202, [("Location", "/x"), ("Range", "0-99999999999999999999")]), .corrupted, "impossible range", 1),
        ] as [(ScriptedServer.Answer, Failure.Code, String, Int)])
    func badAnswersToAPiece(answer: ScriptedServer.Answer, code: Failure.Code, says: String, times: Int) async throws {
        let failure = await #expect(throws: Failure.self) {
            try await push { script, _ in
                script.fail("PATCH", with: answer, answer, answer, answer, answer, answer)
                // Its log is looked at through what is thrown: the count of attempts is in the pauses.
            }
        }
        #expect(failure?.code == code)
        #expect(failure?.description.contains(says) == true, "\(String(describing: failure))")
    }

    @Test(
        arguments: [
            (.http(202), "answered 202 to a whole upload"), (.http(200), "answered 200 to a whole upload"),
            (.http(201, [("Docker-Content-Digest", "sha256:0")]), "for sha256:0"),
            (.http(400, [], #"{"errors":[{"code":"DIGEST_INVALID","message":"told so"}]}"#), "told so"),
        ] as [(ScriptedServer.Answer, String)])
    func badAnswersToTheEnd(answer: ScriptedServer.Answer, says: String) async throws {
        let failure = await #expect(throws: Failure.self) {
            try await push { script, _ in script.fail("PUT", with: answer) }
        }
        #expect(failure?.description.contains(says) == true, "\(String(describing: failure))")
    }

    @Test(
        arguments: [
            (.http(202), .corrupted, "no valid place"),
            (.http(202, [("Location", "//evil/x")]), .corrupted, "no valid"),
            (.http(202, [("Location", "http://evil.example/x")]), .forbidden, "sent to http://evil.example"),
            (.http(404), .notFound, "ai/x not found"), (.http(405), .internalError, "405"),
        ] as [(ScriptedServer.Answer, Failure.Code, String)])
    func badAnswersToTheBeginning(answer: ScriptedServer.Answer, code: Failure.Code, says: String) async throws {
        let failure = await #expect(throws: Failure.self) {
            try await push { script, _ in script.fail("POST", with: answer) }
        }
        #expect(failure?.code == code)
        #expect(failure?.description.contains(says) == true, "\(String(describing: failure))")
    }

    @Test func aBlobIsTakenFromAnotherRepository() async throws {
        let (script, counts, _) = try await push(mounting: ["ai/x", "ai/a", "ai/b"]) { script, _ in
            script.state.withLock { $0.mountable = ["ai/a"] }
        }
        // Not from itself, and nothing is sent.
        #expect(script.log == ["POST from ai/a"])
        #expect(counts == [Int64(Self.size)])
    }

    @Test func aBlobThatCannotBeTakenIsSent() async throws {
        let (script, _, _) = try await push(whole: true, mounting: ["ai/a"])
        #expect(script.log == ["POST from ai/a", "PUT"])
    }

    @Test(arguments: [400, 403, 404, 405, 500])
    func aRegistryThatDoesNotKnowHowIsAskedPlainly(_ status: Int) async throws {
        let (script, _, _) = try await push(whole: true, mounting: ["ai/a"]) { script, _ in
            script.fail("POST", with: .http(status))
        }
        #expect(script.log == ["POST from ai/a", "POST", "PUT"])
    }

    /// A token that runs out between two pieces is replaced, and the piece sent again.
    @Test func aTokenThatRunsOutIsRenewed() async throws {
        let script = UploadScript()
        let uses = Mutex(0)
        try await withScript { server, registry, _ in
            server.answer { request in
                if request.path == "/token" {
                    return .http(200, [], #"{"token":"t\#(uses.withLock { $0 })","expires_in":300}"#)
                }
                let isGood = uses.withLock { uses in
                    guard request.header("Authorization") == "Bearer t\(uses)" else { return false }
                    // Every token is good for one piece.
                    if request.method == "PATCH" { uses += 1 }
                    return true
                }
                return isGood
                    ? script.answer(request)
                    : .http(401, [("WWW-Authenticate", "Bearer realm=\"http://\(server.address)/token\"")])
            }
            var registry = registry
            registry.sizes = .init(whole: 0, piece: 100_000)
            try await withTemporaryDirectory { root in
                let store = BlobStore(root: root)
                let bytes = ByteBuffer(repeating: 7, count: 250_000)
                let digest = try store.store(bytes)
                let blob = Descriptor(mediaType: MediaType.gguf, digest: digest, size: 250_000)
                try await registry.pushBlob(
                    blob, file: store.path(of: digest), to: Reference(parsing: "\(server.address)/ai/x"))
                #expect(script.blobs[digest.description] == bytes)
                #expect(server.lines.filter { $0 == "GET /token" }.count == 4)
                let scopes = Set(server.requests.filter { $0.path == "/token" }.map(\.query))
                #expect(scopes == ["scope=repository:ai/x:pull,push"])
            }
        }
    }

    @Test func chunksAreAPartOfAFile() async throws {
        try await withTemporaryDirectory { folder in
            let path = folder.appending("file")
            let bytes = Self.bytes
            try Files.write(bytes, to: path)
            for range in [0..<Self.size, 5..<6, 262_140..<524_290, Self.size - 1..<Self.size, 7..<7] as [Range<Int>] {
                var whole = ByteBuffer()
                let chunks = FileChunks(path, range: Int64(range.lowerBound)..<Int64(range.upperBound))
                for try await chunk in chunks { whole.writeImmutableBuffer(chunk) }
                #expect(whole == bytes.getSlice(at: range.lowerBound, length: range.count))
            }
            // Pieces that are kept are not overwritten by the next ones.
            var kept: [ByteBuffer] = []
            for try await chunk in FileChunks(path) { kept.append(chunk) }
            #expect(kept.reduce(into: ByteBuffer()) { $0.writeImmutableBuffer($1) } == bytes)
        }
    }
}
