import Core
import MCP
import NIOCore
import TestSupport
import Testing

@testable import MCPHTTP

/// Servers that do as they please.
@Suite(.timeLimit(.minutes(2))) struct ScriptedRemoteTests {
    typealias Answer = ScriptedServer.Answer

    private static let json = ("content-type", "application/json")
    private static let events = ("content-type", "text/event-stream")

    private static func id(_ request: ScriptedServer.Request) -> String {
        (try? JSON(parsing: request.body)["id"]?.text) ?? "null"
    }

    private static func method(_ request: ScriptedServer.Request) -> String {
        (try? JSON(parsing: request.body)["method"]?.string) ?? ""
    }

    private static func result(_ request: ScriptedServer.Request, _ result: String = "{}") -> String {
        #"{"jsonrpc":"2.0","id":\#(id(request)),"result":\#(result)}"#
    }

    /// A server that knows the handshake, and leaves the rest to a script.
    private static func script(
        session: String? = "s1", _ rest: @escaping ScriptedServer.Script = { _ in .http(202) }
    ) -> ScriptedServer.Script {
        { request in
            switch (request.method, method(request)) {
            case ("POST", "initialize"):
                let headers = [json] + (session.map { [("mcp-session-id", $0)] } ?? [])
                return .http(200, headers, result(request, #"{"protocolVersion":"2025-11-25","capabilities":{}}"#))
            case ("POST", "notifications/initialized"): return .http(202)
            case ("DELETE", _): return .http(200)
            default: return rest(request)
            }
        }
    }

    private func run<R: Sendable>(
        _ script: @escaping ScriptedServer.Script, kind: RemoteEndpoint.Kind = .streamable, path: String = "/mcp",
        headers: [(String, String)] = [], _ body: @escaping @Sendable (Peer) async throws -> R
    ) async throws -> (R, [ScriptedServer.Request]) {
        try await ScriptedServer.run(script) { server in
            let endpoint = try RemoteEndpoint(
                url: "http://\(server.address)\(path)", kind: kind, headers: headers, allowsPrivate: true)
            let result = try await ClientTests.connect(endpoint) { peer in
                try await ClientTests.greet(peer)
                return try await body(peer)
            }
            return (result, server.requests)
        }
    }

    @Test func everyRequestNamesTheSessionAndTheRevision() async throws {
        let script = Self.script { request in
            request.method == "GET" ? .http(405) : .http(200, [Self.json], Self.result(request))
        }
        let (_, requests) = try await run(script, headers: [("X-Key", "k")]) { peer in try await peer.request("echo") }
        #expect(requests.first?.header("mcp-session-id") == nil)
        #expect(requests.first?.header("mcp-protocol-version") == nil)
        #expect(requests.first?.header("accept") == "application/json, text/event-stream")
        for request in requests.dropFirst() {
            #expect(request.header("mcp-session-id") == "s1", "\(request.line)")
            #expect(request.header("mcp-protocol-version") == "2025-11-25", "\(request.line)")
        }
        #expect(requests.allSatisfy { $0.header("x-key") == "k" })
        #expect(requests.last?.method == "DELETE")
    }

    @Test func aStreamThatBreaksIsGoneOnWith() async throws {
        let script = Self.script { request in
            switch request.method {
            case "GET" where request.header("last-event-id") == "e1":
                return .http(
                    200, [Self.events], "id: e2\ndata: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"n\":1}}\n\n")
            case "GET": return .http(405)
            default: return .http(200, [Self.events], "id: e1\nretry: 5\ndata: \n\n")
            }
        }
        let (answer, requests) = try await run(script) { peer in try await peer.request("slow") }
        #expect(answer.text == #"{"n":1}"#)
        #expect(requests.contains { $0.method == "GET" && $0.header("last-event-id") == "e1" })
    }

    @Test func aStreamWithoutNamesThatBreaksIsAFailedCall() async throws {
        let script = Self.script { request in
            request.method == "GET"
                ? .http(405)
                : .http(200, [Self.events], ": nothing\n\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"n\"}\n\n")
        }
        let (error, _) = try await run(script) { peer in
            await #expect(throws: RPC.Error.self) { try await peer.request("slow") }
        }
        #expect(error?.message.contains("closed the stream of slow before its answer") == true)
    }

    @Test func aLostSessionEndsTheConnection() async throws {
        let script = Self.script { request in request.method == "GET" ? .http(405) : .http(404) }
        let failures = Promise<[Failure]>()
        _ = try? await run(script) { peer in
            var all: [Failure] = []
            for _ in 0..<2 {
                do { _ = try await peer.request("echo") } catch let failure as Failure { all.append(failure) }
            }
            failures.fulfil(.success(all))
        }
        let all = try await failures.value
        #expect(all.map(\.code) == [.unavailable, .unavailable])
        #expect(all[0].cause is SessionLost)
    }

    @Test(
        arguments: [
            (400, .unsupported), (401, .unauthorized), (403, .forbidden), (404, .notFound), (405, .notFound),
            (429, .unavailable), (500, .unavailable), (503, .unavailable),
        ] as [(Int, Failure.Code)])
    func refusedHandshakes(status: Int, code: Failure.Code) async throws {
        let failure = await #expect(throws: Failure.self) {
            try await run({ _ in .http(status, [], "no\nway") }) { _ in }
        }
        #expect(failure?.code == code)
    }

    @Test func anErrorOfTheProtocolIsThatWhateverTheStatus() async throws {
        let script = Self.script { request in
            let error = #"{"jsonrpc":"2.0","id":\#(Self.id(request)),"error":{"code":-32601,"message":"no"}}"#
            return request.method == "GET" ? .http(405) : .http(400, [Self.json], error)
        }
        let (error, _) = try await run(script) { peer in
            await #expect(throws: RPC.Error.self) { try await peer.request("echo") }
        }
        #expect(error?.code == -32601)
    }

    @Test(arguments: ["", "{", "[]", "hello", #"{"jsonrpc":"2.0","id":99,"result":{}}"#])
    func whatIsNoAnswerIsSaidSo(body: String) async throws {
        let script = Self.script { $0.method == "GET" ? .http(405) : .http(200, [Self.json], body) }
        let (failure, _) = try await run(script) { peer in
            await #expect(throws: Failure.self) { try await peer.request("echo") }
        }
        #expect(failure?.code == .corrupted)
    }

    @Test(arguments: [400, 404, 405]) func anOlderServerIsSpokenToInItsWay(status: Int) async throws {
        let script: ScriptedServer.Script = { request in
            switch request.line {
            case "GET /mcp": .http(200, [Self.events], "event: endpoint\ndata: messages?s=1\n\n")
            case "POST /messages": .http(202)
            default: .http(status)
            }
        }
        // The stream of the script ends at once, and the session with it; but it has been reached.
        let requests = try await ScriptedServer.run(script) { server in
            let endpoint = try RemoteEndpoint(
                url: "http://\(server.address)/mcp", kind: .automatic, allowsPrivate: true)
            _ = try? await ClientTests.connect(endpoint) { peer in try await ClientTests.greet(peer) }
            return server.requests
        }
        #expect(requests.map(\.line).prefix(2) == ["POST /mcp", "GET /mcp"])
        if requests.count > 2 { #expect(requests[2].line == "POST /messages" && requests[2].query == "s=1") }
    }

    @Test(arguments: [
        ("http://evil.example/messages", Failure.Code.forbidden), ("http://127.0.0.1:1/messages", .forbidden),
        ("//evil.example/m", .corrupted), ("https://user@evil.example/", .corrupted),
    ])
    func messagesGoToTheServersOwnOriginOnly(address: String, code: Failure.Code) async throws {
        let script: ScriptedServer.Script = { _ in .http(200, [Self.events], "event: endpoint\ndata: \(address)\n\n") }
        let failure = await #expect(throws: Failure.self) {
            try await run(script, kind: .events, path: "/sse") { _ in }
        }
        #expect(failure?.code == code)
    }

    @Test func redirectsLeadOnWithoutTheKeysOfAnotherOrigin() async throws {
        try await ScriptedServer.run(Self.script { _ in .http(405) }) { target in
            let script: ScriptedServer.Script = { request in
                .http(307, [("location", request.path == "/mcp" ? "/there" : "http://\(target.address)/mcp")])
            }
            let requests = try await ScriptedServer.run(script) { server in
                let endpoint = try RemoteEndpoint(
                    url: "http://\(server.address)/mcp", kind: .streamable, headers: [("Authorization", "Bearer k")],
                    allowsPrivate: true)
                try await ClientTests.connect(endpoint) { peer in try await ClientTests.greet(peer) }
                return server.requests
            }
            #expect(requests.map(\.line).prefix(2) == ["POST /mcp", "POST /there"])
            #expect(requests.allSatisfy { $0.header("authorization") == "Bearer k" })
            #expect(target.requests.first.map { String(buffer: $0.body).contains("initialize") } == true)
            #expect(
                target.requests.allSatisfy { $0.header("authorization") == nil && $0.header("mcp-session-id") == nil })
        }
    }

    @Test(
        arguments: [
            ("http://169.254.169.254/latest", .forbidden), ("http://[fe80::1]/", .forbidden),
            ("http://[64:ff9b::a9fe:a9fe]/", .forbidden), ("nonsense", .unavailable), ("/mcp", .unavailable),
        ] as [(String, Failure.Code)])
    func redirectsAreJudged(location: String, code: Failure.Code) async throws {
        let failure = await #expect(throws: Failure.self) {
            try await run({ _ in .http(307, [("location", location)]) }) { _ in }
        }
        #expect(failure?.code == code)
    }

    @Test(arguments: [301, 302, 303]) func aMessageIsNotTurnedIntoAQuestion(status: Int) async throws {
        let failure = await #expect(throws: Failure.self) {
            try await run({ _ in .http(status, [("location", "/there")]) }) { _ in }
        }
        #expect(failure?.code == .unavailable)
    }

    @Test(
        arguments: [
            ([nil, nil, nil], [500, 1000, 2000]), ([10, nil, nil], [10, 10, 10]), ([3_600_000], [30_000]),
        ] as [([Int64?], [Int64])])
    func pauses(retries: [Int64?], expected: [Int64]) {
        var position = StreamPosition()
        let pauses = retries.map { retry -> Int64 in
            position.note(id: nil, retry: retry.map { .milliseconds($0) })
            return position.pause().milliseconds
        }
        #expect(pauses == expected)
        #expect(position.attempts == retries.count)
        position.note(id: "a", retry: nil)
        #expect(position.attempts == 0 && position.lastID == "a")
        position.note(id: "new\nline", retry: nil)
        #expect(position.lastID == "a")
    }
}
