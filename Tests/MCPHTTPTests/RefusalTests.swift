import AsyncAlgorithms
import AsyncHTTPClient
import Core
import Logging
import MCP
import NIOCore
import NIOHTTP1
import Testing

@testable import MCPHTTP

/// What does not get through, over the wire.
@Suite(.timeLimit(.minutes(2))) struct RefusalTests {
    private static let echo = #"{"jsonrpc":"2.0","id":4,"method":"echo"}"#

    @Test(
        arguments: [
            [:], ["authorization": "Bearer wrong"], ["authorization": "Basic s3cret-token"],
            ["authorization": "Bearer"],
        ] as [[String: String]])
    func withoutTheTokenNobodyGetsIn(headers: [String: String]) async throws {
        try await Bench.run { (bench) async throws in
            let extra = ["authorization": headers["authorization"] ?? ""]
            for path in ["/mcp", "/", "/elsewhere", "/sse"] {
                let answer = try await bench.send(bench.request(.POST, path, Bench.initialize, with: extra))
                #expect(answer.status == 401)
                #expect(answer.headers.first(name: "www-authenticate") == "Bearer realm=\"MCP Gateway\"")
                #expect(answer.text == "Unauthorized")
            }
            #expect(await bench.served.total == 0)
        }
    }

    @Test(arguments: [
        ("host", "evil.example", 403), ("host", "localhost", 200), ("origin", "http://evil.example", 403),
        ("origin", "null", 403), ("origin", "http://localhost:6274", 200), ("accept", "application/json", 406),
        ("accept", "text/event-stream", 406), ("accept", "*/*", 200), ("content-type", "text/plain", 415),
        ("content-type", "application/json; charset=utf-8", 200), ("mcp-protocol-version", "2026-07-28", 400),
        ("mcp-protocol-version", "2025-11-25", 200), ("mcp-session-id", "unknown", 404),
    ])
    func headers(name: String, value: String, status: Int) async throws {
        try await Bench.run { (bench) async throws in
            let answer = try await bench.post(Bench.initialize, with: [name: value])
            #expect(answer.status == status, "\(answer.text)")
            #expect(await bench.served.total == (status == 200 ? 1 : 0))
            if status == 400 { #expect(try answer.json["error"]?["code"]?.int == -32600) }
        }
    }

    @Test(arguments: ["host", "origin"]) func hostAndOriginComeBeforeTheToken(header: String) async throws {
        try await Bench.run { (bench) async throws in
            for path in ["/mcp", "/health", "/elsewhere"] {
                let answer = try await bench.send(
                    bench.request(.GET, path, with: [header: "http://evil.example", "authorization": ""]))
                #expect(answer.status == 403)
            }
        }
    }

    @Test(arguments: [
        ("{", 400, -32700), (#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, 400, -32600), ("[]", 400, -32600),
        ("1", 400, -32600), (#"{"id":1,"method":"x"}"#, 400, -32600), ("", 400, -32700),
        (#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, 400, -32600),
        (#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, 400, -32600),
    ])
    func messages(body: String, status: Int, code: Int) async throws {
        try await Bench.run { (bench) async throws in
            let answer = try await bench.post(body)
            #expect(answer.status == status)
            #expect(try answer.json["error"]?["code"]?.int == code)
            #expect(await bench.served.total == 0)
        }
    }

    @Test func aClientThatProbesForTheNewerProtocolIsToldAtOnce() async throws {
        try await Bench.run { (bench) async throws in
            let probe = #"{"jsonrpc":"2.0","id":0,"method":"server/discover","params":{}}"#
            let answer = try await bench.post(probe, with: ["mcp-protocol-version": "2026-07-28", "mcp-method": "x"])
            #expect(answer.status == 400)
            #expect(try answer.json["id"]?.int == 0)
            #expect(try answer.json["error"]?["code"]?.int == -32602)
        }
    }

    @Test func aMessageMayNotBeTooLarge() async throws {
        var limits = StreamableServer.Limits()
        limits.body = 1000
        try await Bench.run(limits: limits) { (bench) async throws in
            let session = try await bench.session()
            let large =
                #"{"jsonrpc":"2.0","id":4,"method":"echo","params":{"x":"\#(String(repeating: "x", count: 1000))"}}"#
            #expect(try await bench.post(large, session: session).status == 413)
            var chunked = bench.request(.POST, "/mcp", "", session: session)
            chunked.body = .stream([ByteBuffer(string: large)].async, length: .unknown)
            #expect(try await bench.send(chunked).status == 413)
            #expect(try await bench.post(Self.echo, session: session).status == 200)
        }
    }

    @Test func aLargeMessageGoesThrough() async throws {
        try await Bench.run { (bench) async throws in
            let session = try await bench.session()
            let text = String(repeating: "x", count: 2 << 20)
            let answer = try await bench.call("echo", #"{"x":"\#(text)"}"#, session: session)
            #expect(try answer.json["result"]?["x"]?.string?.count == 2 << 20)
        }
    }

    @Test(arguments: [
        ("GET", "/mcp", 400), ("DELETE", "/mcp", 400), ("PUT", "/mcp", 405), ("OPTIONS", "/mcp", 405),
        ("GET", "/", 404), ("POST", "/mcp/", 404), ("GET", "/servers/one/mcp", 400), ("GET", "/servers/two/mcp", 404),
        ("GET", "/servers/secret/mcp", 404),
    ])
    func addresses(method: String, path: String, status: Int) async throws {
        let alice = Token(
            digest: try BearerToken(Bench.token).digest, principal: Principal(name: "alice", servers: ["one"]))
        try await Bench.run(authorization: .tokens([alice]), servers: ["one", "secret"]) { (bench) async throws in
            let answer = try await bench.send(bench.request(HTTPMethod(rawValue: method), path))
            #expect(answer.status == status)
            if status == 405 { #expect(answer.headers.first(name: "allow") == "GET, POST, DELETE") }
        }
    }

    @Test func anIdMayNotBeUsedTwiceAtOnce() async throws {
        let server = SlowServer()
        try await Bench.run(serve: { try await Peer.serve(over: $0, handler: server) }) { (bench) async throws in
            let session = try await bench.session()
            async let slow = bench.call("slow", id: 4, session: session)
            try await server.started.value
            let second = try await bench.call("quick", id: 4, session: session)
            #expect(second.status == 400)
            #expect(try second.json["error"]?["code"]?.int == -32600)
            server.release.fulfil(.success(()))
            #expect(try await slow.status == 200)
            #expect(try await bench.call("quick", id: 4, session: session).status == 200)
        }
    }

    @Test func healthAndReadinessAreOpen() async throws {
        let ready = Promise<Void>()
        try await Bench.run(isReady: { ready.current != nil }) { (bench) async throws in
            func status(_ path: String) async throws -> Int {
                try await bench.send(bench.request(.GET, path, with: ["authorization": ""])).status
            }
            #expect(try await status("/health") == 200)
            #expect(try await status("/ready") == 503)
            ready.fulfil(.success(()))
            #expect(try await status("/ready") == 200)
        }
    }

    @Test func withoutAuthorizationEverybodyGetsIn() async throws {
        try await Bench.run(authorization: .open) { (bench) async throws in
            #expect(try await bench.post(Bench.initialize, with: ["authorization": ""]).status == 200)
            #expect(try await bench.post(Bench.initialize, with: ["host": "evil.example"]).status == 403)
        }
    }

    @Test func aTakenPortIsOneClearLine() async throws {
        try await Bench.run { (bench) async throws in
            let second = StreamableServer(
                configuration: .init(port: bench.port, authorization: .open),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            ) { _ in }
            let failure = await #expect(throws: Failure.self) { try await second.run() }
            #expect(failure?.message == "port \(bench.port) on 127.0.0.1 is in use")
            #expect(failure?.code == .conflict)
        }
    }

    @Test func anAddressOfAnotherMachineIsOneClearLine() async throws {
        let host = "203.0.113.7"
        let server = StreamableServer(
            configuration: .init(host: host, port: 0, authorization: .open),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { _ in }
        let failure = await #expect(throws: Failure.self) { try await server.run() }
        #expect(failure?.code == .invalidArgument)
        #expect(failure?.message == "cannot listen on \(host), port 0")
    }
}
