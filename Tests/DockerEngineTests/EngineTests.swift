internal import AsyncHTTPClient
internal import Core
internal import NIOCore
internal import Synchronization
internal import SystemPackage
internal import TestSupport
internal import Testing

@testable internal import DockerEngine

@Suite struct EngineTests {
    @Test(arguments: [("1.41", "/v1.41/"), ("1.43", "/v1.43/"), ("1.47", "/v1.47/"), ("1.52", "/v1.47/")])
    func agreesOnAVersion(offered: String, prefix: String) async throws {
        try await FakeDockerEngine.run { request, connection in
            try await connection.answer(200, "{}", headers: ["Api-Version: \(offered)"])
        } _: { fake in
            try await withClient { client in
                let engine = try await Engine.connect(client: client, endpoint: .unix(fake.socket))
                _ = try await engine.inspectContainer("abc")
            }
            let requests = fake.requests
            #expect(requests.map(\.target) == ["/_ping", "\(prefix)containers/abc/json"])
            // Go's servers refuse a request without it.
            #expect(requests.allSatisfy { $0.headers["host"] == "docker" })
        }
    }

    @Test(arguments: [["Api-Version: 1.40"], ["Api-Version: 0.9"], ["Api-Version: one"], []])
    func refusesWhatIsTooOldOrNoEngine(headers: [String]) async throws {
        try await FakeDockerEngine.run { _, connection in
            try await connection.answer(200, "OK", headers: headers)
        } _: { fake in
            let failure = try await withClient { client in
                await #expect(throws: Failure.self) {
                    try await Engine.connect(client: client, endpoint: .unix(fake.socket))
                }
            }
            #expect(failure?.code == .unsupported)
        }
    }

    @Test func saysThatAnotherServerIsNoEngine() async throws {
        try await FakeDockerEngine.run { _, connection in
            try await connection.answer(403, "Host not allowed")
        } _: { fake in
            let failure = try await withClient { client in
                await #expect(throws: Failure.self) {
                    try await Engine.connect(client: client, endpoint: .unix(fake.socket))
                }
            }
            #expect(failure?.code == .unsupported)
            #expect(
                failure?.message.hasSuffix("is no Docker Engine (it says 403 Forbidden)") == true, "\(failure as Any)")
        }
    }

    @Test func anEngineThatRefusesIsQuoted() async throws {
        try await FakeDockerEngine.run { _, connection in
            try await connection.answer(403, #"{"message":"not today"}"#, headers: ["Api-Version: 1.47"])
        } _: { fake in
            let failure = try await withClient { client in
                await #expect(throws: Failure.self) {
                    try await Engine.connect(client: client, endpoint: .unix(fake.socket))
                }
            }
            #expect(failure?.message == "Docker: not today")
        }
    }

    @Test func saysThatAFolderIsNoSocket() async throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "wharf-no-")
        defer { try? Files.remove(folder) }
        let failure = try await withClient { client in
            await #expect(throws: Failure.self) {
                try await Engine.connect(client: client, endpoint: .unix(folder))
            }
        }
        #expect(failure?.message == "the Docker host unix://\(folder) is no socket")
        #expect(failure?.advice?.contains("DOCKER_HOST") == true)
    }

    @Test func saysWhenNoEngineAnswers() async throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "wharf-no-")
        defer { try? Files.remove(folder) }
        let failure = try await withClient { client in
            await #expect(throws: Failure.self) {
                try await Engine.connect(client: client, endpoint: .unix(folder.appending("d.sock")))
            }
        }
        #expect(failure?.code == .unavailable)
        #expect(failure?.message.hasPrefix("no Docker Engine answers at unix:///") == true)
        #expect(failure?.advice?.contains("DOCKER_HOST") == true)
    }

    @Test(arguments: [
        (301, "moved", Failure.Code.internalError, "moved"),
        (400, #"{"message":"bad parameter"}"#, .invalidArgument, "Docker: bad parameter"),
        (403, #"{"message":"no"}"#, .forbidden, "no"), (404, #"{"message":"No such container: x"}"#, .notFound, "x"),
        (409, #"{"message":"in use"}"#, .conflict, "in use"), (500, "plain words", .internalError, "plain words"),
        (503, "", .unavailable, "503"), (500, #"{"message":"a\u001b[31m\nb"}"#, .internalError, "Docker: a [31m b"),
    ])
    func saysWhatDockerSays(status: Int, body: String, code: Failure.Code, text: String) async throws {
        try await withEngine({ _, connection in try await connection.answer(status, body) }) { engine, _ in
            let failure = await #expect(throws: Failure.self) { try await engine.inspectContainer("x") }
            #expect(failure?.code == code)
            #expect(failure?.message.contains(text) == true, "\(failure?.message ?? "")")
        }
    }

    @Test func boundsWhatItReads() async throws {
        let answer: FakeDockerEngine.Answer = { request, connection in
            if request.target.contains("/wordy/") {
                try await connection.answer(500, #"{"message":""# + String(repeating: "x", count: 40_000) + #""}"#)
            } else {
                let length = Engine.maximumAnswer + 1
                try await connection.write("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: \(length)\r\n\r\n")
                let piece = ByteBuffer(repeating: UInt8(ascii: " "), count: 1 << 20)
                for _ in 0...16 { try await connection.write(piece) }
            }
        }
        try await withEngine(answer) { engine, _ in
            let wordy = await #expect(throws: Failure.self) { try await engine.inspectContainer("wordy") }
            #expect((wordy?.message.utf8.count ?? .max) < 1100)
            let endless = await #expect(throws: Failure.self) { try await engine.inspectContainer("endless") }
            #expect(endless?.code == .unavailable)
        }
    }

    @Test(arguments: ["not json", "[1", #"{"Id":7}"#, #"{"Id":"../../x"}"#, #"{"Id":"abc"}"#, "{}", ""])
    func doesNotBelieveAnIdThatIsNone(body: String) async throws {
        try await withEngine({ _, connection in try await connection.answer(201, body) }) { engine, _ in
            let failure = await #expect(throws: Failure.self) {
                try await engine.createContainer(ContainerSpec(image: "x"), name: "n")
            }
            #expect(failure?.code == .corrupted)
        }
    }

    @Test func makesStartsAndListsContainers() async throws {
        let id = String(repeating: "0123456789abcdef", count: 4)
        let answer: FakeDockerEngine.Answer = { request, connection in
            switch request.method {
            case "GET": try await connection.answer(200, #"[{"Id":"a"}]"#)
            case "POST" where request.target.hasSuffix("/start"): try await connection.answer(304)
            default: try await connection.answer(201, #"{"Id":"\#(id)","Warnings":[]}"#)
            }
        }
        try await withEngine(answer) { engine, fake in
            #expect(try await engine.createContainer(ContainerSpec(image: "i"), name: "a b/c") == id)
            try await engine.startContainer(id)
            #expect(try await engine.listContainers(labels: ["k": "v w", "a": "b"], all: true) == [["Id": "a"]])
            let requests = fake.requests
            #expect(
                requests.map(\.target) == [
                    "/v1.41/containers/create?name=a%20b%2Fc", "/v1.41/containers/\(id)/start",
                    "/v1.41/containers/json?all=true&filters=%7B%22label%22%3A%5B%22a%3Db%22%2C%22k%3Dv%20w%22%5D%7D",
                ])
            #expect(try JSON(parsing: requests[0].body) == ContainerSpec(image: "i").json)
            #expect(requests[0].headers["content-type"] == "application/json")
        }
    }

    @Test(arguments: [
        (204, "", Failure.Code?.none, ["DELETE"]),
        (404, #"{"message":"No such container: x"}"#, nil, ["DELETE"]),
        (409, #"{"message":"removal of container x is already in progress"}"#, nil, ["DELETE", "POST"]),
        (409, #"{"message":"You cannot remove a running container x"}"#, .conflict, ["DELETE"]),
        (500, #"{"message":"device busy"}"#, .internalError, ["DELETE"]),
    ])
    func removesContainers(status: Int, body: String, code: Failure.Code?, methods: [String]) async throws {
        let answer: FakeDockerEngine.Answer = { request, connection in
            if request.method == "POST" {
                try await connection.answer(404, #"{"message":"No such container: x"}"#)
            } else {
                try await connection.answer(status, body)
            }
        }
        try await withEngine(answer) { engine, fake in
            do {
                try await engine.removeContainer("x", force: false)
                #expect(code == nil)
            } catch let failure as Failure { #expect(failure.code == code) }
            #expect(fake.requests.map(\.method) == methods)
        }
    }

    @Test(arguments: [(200, true), (404, false)])
    func knowsWhetherAnImageIsThere(status: Int, expected: Bool) async throws {
        try await withEngine({ _, connection in try await connection.answer(status, "{}") }) { engine, fake in
            let exists = try await engine.imageExists("wharf/demo-tools:latest")
            #expect(exists == expected)
            #expect(fake.requests.map(\.target) == ["/v1.41/images/wharf%2Fdemo-tools%3Alatest/json"])
        }
    }

    /// Somebody's `name/../..` must not become a question whose answer is always yes.
    @Test func aRedirectIsNoYes() async throws {
        try await withEngine({ _, connection in
            try await connection.answer(301, headers: ["Location: /v1.41/json"])
        }) { engine, _ in
            await #expect(throws: Failure.self) { try await engine.imageExists("a/../../x") }
        }
    }

    @Test(arguments: [
        ("alpine", "alpine%3Alatest"), ("alpine:3", "alpine%3A3"), ("r:5000/a", "r%3A5000%2Fa%3Alatest"),
        ("r:5000/a:1", "r%3A5000%2Fa%3A1"), ("a@sha256:00", "a%40sha256%3A00"),
    ])
    func pullsOneTag(reference: String, name: String) async throws {
        let stream = #"{"status":"Pulling"}"# + "\r\n" + "noise\r\n" + #"{"status":"Done"}"#
        try await withEngine({ _, connection in try await connection.answer(200, stream) }) { engine, fake in
            let seen = Mutex<[String]>([])
            try await engine.pullImage(reference) { message in
                seen.withLock { $0.append(message["status"]?.string ?? "") }
            }
            #expect(seen.withLock { $0 } == ["Pulling", "Done"])
            #expect(fake.requests.map(\.target) == ["/v1.41/images/create?fromImage=\(name)"])
        }
    }

    @Test(arguments: ["\r\n", ""])
    func noticesAnErrorWithinAPull(end: String) async throws {
        let stream = #"{"status":"Pulling"}"# + "\n" + #"{"errorDetail":{"message":"gone"},"error":"gone"}"# + end
        try await withEngine({ _, connection in try await connection.answer(200, stream) }) { engine, _ in
            let failure = await #expect(throws: Failure.self) { try await engine.pullImage("a") { _ in } }
            #expect(failure?.message == "Docker: gone")
        }
    }

    @Test(arguments: [("1.41", 1, 41), ("2.0", 2, 0)])
    func readsVersions(text: String, major: Int, minor: Int) {
        #expect(APIVersion(text) == APIVersion(major: major, minor: minor))
        #expect(APIVersion(text)?.description == text)
    }

    @Test(arguments: ["", "1", "1.", ".1", "1.2.3", "1.-2", "v1.41", "1.41 "])
    func refusesWhatIsNoVersion(text: String) { #expect(APIVersion(text) == nil) }

    @Test func ordersVersionsByNumber() {
        #expect(APIVersion(major: 1, minor: 9) < APIVersion(major: 1, minor: 41))
        #expect(APIVersion(major: 1, minor: 99) < APIVersion(major: 2, minor: 0))
    }
}

/// Runs `body` with a client whose waiting is short enough for tests of engines that are not there.
func withClient<R: Sendable>(_ body: (HTTPClient) async throws -> R) async throws -> R {
    var configuration = HTTPClient.Configuration()
    configuration.redirectConfiguration = .disallow
    configuration.timeout.connect = .milliseconds(200)
    let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    do {
        let result = try await body(client)
        try await client.shutdown()
        return result
    } catch {
        try? await client.shutdown()
        throw error
    }
}

/// An engine of version 1.41 that answers as told.
func withEngine(
    _ answer: @escaping FakeDockerEngine.Answer,
    _ body: @escaping @Sendable (Engine, FakeDockerEngine) async throws -> Void
) async throws {
    try await FakeDockerEngine.run(answer) { fake in
        try await withClient { client in
            try await body(Engine(client: client, endpoint: .unix(fake.socket)), fake)
        }
    }
}
