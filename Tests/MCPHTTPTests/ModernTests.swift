import AsyncHTTPClient
import Core
import MCP
import NIOCore
import NIOHTTP1
import Synchronization
import Testing

@testable import MCPHTTP

/// The protocol without sessions, as its clients see it.
@Suite(.timeLimit(.minutes(2))) struct ModernTests {
    /// A gateway with a few tools.
    final class Tools: Peer.Handler {
        let hung = Promise<Void>()
        let cancelled = Promise<Void>()
        private let parameters = RawJSON([
            "type": "object", "properties": ["region": ["type": "string", "x-mcp-header": "Region"]],
        ])

        func admit(_ request: RPC.Request, from peer: Peer) throws(RPC.Error) -> Peer.Admission {
            guard request.method == "initialize" else { return .respond }
            return .answer(
                RawJSON([
                    "protocolVersion": "2025-11-25", "serverInfo": ["name": "g", "version": "1"],
                    "capabilities": ["tools": ["listChanged": true], "resources": ["subscribe": true], "logging": [:]],
                ]))
        }

        func respond(to request: RPC.Request, from peer: Peer) async throws -> RawJSON {
            switch (request.method, request.params?["name"]?.string) {
            case ("tools/list", _):
                let tool = RawJSON(object: [("name", RawJSON("echo")), ("inputSchema", parameters)])
                return RawJSON(object: [("tools", RawJSON(array: [tool]))])
            case ("tools/call", "echo"):
                return RawJSON(object: [("content", RawJSON(array: [request.params?["arguments"] ?? RawJSON(.null)]))])
            case ("tools/call", "ask"):
                let answer = try await peer.request(
                    "elicitation/create", RawJSON(["message": "m"]), relatedTo: request.id)
                return RawJSON(object: [("content", RawJSON(array: [answer]))])
            case ("tools/call", "work"):
                let token = request.params?["_meta"]?["progressToken"] ?? RawJSON(.null)
                let progress = RawJSON(["progress": 1]).replacing("progressToken", with: token)
                peer.notify("notifications/progress", progress, relatedTo: request.id)
                let log = RawJSON(["level": "info", "data": "x"])
                peer.notify("notifications/message", log, relatedTo: request.id)
                return RawJSON(["content": []])
            case ("tools/call", "hang"):
                hung.fulfil(.success(()))
                do { try await Task.sleep(for: .seconds(600)) } catch {
                    cancelled.fulfil(.success(()))
                    throw error
                }
                return RawJSON([:])
            case ("tools/call", "change"):
                peer.notify("notifications/tools/list_changed")
                peer.notify("notifications/resources/updated", RawJSON(["uri": "a:b"]))
                return RawJSON(["content": []])
            case ("resources/read", _):
                throw RPC.Error(code: -32002, message: "no", data: RawJSON(["uri": "a:b"]))
            case ("logging/setLevel", _), ("resources/subscribe", _), ("resources/unsubscribe", _): return RawJSON([:])
            default: throw RPC.Error.methodNotFound(request.method)
            }
        }

        func receive(_ notification: RPC.Notification, from peer: Peer) async {}
    }

    private static func meta(_ capabilities: String = "{}", _ more: String = "") -> String {
        #""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":\#(capabilities)\#(more)}"#
    }

    private static func body(
        _ method: String, _ params: String = "", id: String = "1", capabilities: String = "{}", more: String = ""
    ) -> String {
        let separator = params.isEmpty ? "" : ","
        return
            #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)","params":{\#(params)\#(separator)\#(meta(capabilities, more))}}"#
    }

    private static func headers(_ method: String, _ name: String? = nil, _ extra: [String: String] = [:]) -> [String:
        String]
    {
        var headers = ["mcp-protocol-version": "2026-07-28", "mcp-method": method]
        headers["mcp-name"] = name
        return headers.merging(extra, uniquingKeysWith: { $1 })
    }

    private func run(_ tools: Tools = Tools(), _ body: @escaping @Sendable (Bench) async throws -> Void) async throws {
        try await Bench.run(serve: { try await Peer.serve(over: $0, handler: tools) }, body)
    }

    @Test func requestsStandForThemselves() async throws {
        try await run { (bench) async throws in
            let discovered = try await bench.post(Self.body("server/discover"), with: Self.headers("server/discover"))
            #expect(discovered.status == 200 && discovered.session == nil)
            let result = try #require(try discovered.json["result"])
            #expect(result["supportedVersions"] == ["2026-07-28"])
            #expect(result["_meta"]?["io.modelcontextprotocol/serverInfo"]?["name"] == "g")
            let called = try await bench.post(
                Self.body("tools/call", #""name":"echo","arguments":{"a":1.0}"#, id: #""x""#),
                with: Self.headers("tools/call", "echo", ["mcp-session-id": "whatever", "last-event-id": "7"]))
            #expect(called.status == 200 && called.headers.first(name: "content-type") == "application/json")
            #expect(
                called.text.hasPrefix(
                    #"{"jsonrpc":"2.0","id":"x","result":{"resultType":"complete","content":[{"a":1.0}]"#))
            // All of them are the same client's.
            #expect(await bench.served.total == 1)
        }
    }

    @Test(arguments: [
        ("tools/list", #"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, headers("tools/list"), 400, -32602),
        ("no header", body("tools/list"), [:], 400, -32020),
        ("no method", body("tools/list"), ["mcp-protocol-version": "2026-07-28"], 400, -32020),
        ("other method", body("tools/list"), headers("tools/call"), 400, -32020),
        ("other name", body("tools/call", #""name":"echo""#), headers("tools/call", "ohce"), 400, -32020),
        ("no name", body("tools/call", #""name":"echo""#), headers("tools/call"), 400, -32020),
        (
            "other version", body("tools/list"), headers("tools/list", nil, ["mcp-protocol-version": "2099-01-01"]),
            400, -32020
        ),
        (
            "unknown version", body("tools/list").replacing("2026-07-28", with: "2099-01-01"),
            headers("tools/list", nil, ["mcp-protocol-version": "2099-01-01"]), 400, -32022
        ),
        ("unknown method", body("unknown"), headers("unknown"), 404, -32601),
        ("ping", body("ping"), headers("ping"), 404, -32601),
        ("missing", body("resources/read", #""uri":"a:b""#), headers("resources/read", "a:b"), 400, -32602),
        ("batch", "[\(body("tools/list"))]", headers("tools/list"), 400, -32600),
        ("response", #"{"jsonrpc":"2.0","id":1,"result":{}}"#, headers("tools/list"), 400, -32600),
        ("nonsense", "nonsense", headers("tools/list"), 400, -32700),
        (
            "parameter", body("tools/call", #""name":"echo","arguments":{"region":"eu"}"#),
            headers("tools/call", "echo"), 400, -32020
        ),
        (
            "other parameter", body("tools/call", #""name":"echo","arguments":{"region":"eu"}"#),
            headers("tools/call", "echo", ["mcp-param-region": "us"]), 400, -32020
        ),
        (
            "idle parameter", body("tools/call", #""name":"echo""#),
            headers("tools/call", "echo", ["mcp-param-region": "us"]), 400, -32020
        ),
        ("state", body("tools/call", #""name":"echo","requestState":"x""#), headers("tools/call", "echo"), 400, -32602),
    ])
    func whatIsWrongHasAStatus(_ name: String, _ body: String, _ headers: [String: String], _ status: Int, _ code: Int)
        async throws
    {
        try await run { (bench) async throws in
            let answer = try await bench.post(body, with: headers)
            #expect(answer.status == status, "\(name): \(answer.text)")
            #expect(try answer.json["error"]?["code"]?.int == code, "\(name): \(answer.text)")
        }
    }

    @Test func aMirroredArgumentGoesThrough() async throws {
        try await run { (bench) async throws in
            let answer = try await bench.post(
                Self.body("tools/call", #""name":"echo","arguments":{"region":"é"}"#),
                with: Self.headers("tools/call", "=?base64?ZWNobw==?=", ["mcp-param-region": "=?base64?w6k=?="]))
            #expect(answer.status == 200, "\(answer.text)")
        }
    }

    @Test func notificationsAreTakenAndNothingElseIsThere() async throws {
        try await run { (bench) async throws in
            let note = #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#
            #expect(try await bench.post(note, with: ["mcp-protocol-version": "2026-07-28"]).status == 202)
            #expect(try await bench.post(note, with: ["mcp-protocol-version": "2099-01-01"]).status == 400)
        }
    }

    @Test func whatComesBeforeTheAnswerMakesItAStream() async throws {
        try await run { (bench) async throws in
            let body = Self.body(
                "tools/call", #""name":"work""#,
                more: #","progressToken":"p","io.modelcontextprotocol/logLevel":"info""#)
            let answer = try await bench.post(body, with: Self.headers("tools/call", "work"))
            #expect(answer.headers.first(name: "content-type") == "text/event-stream")
            #expect(answer.headers.first(name: "x-accel-buffering") == "no")
            var parser = SSE.Parser()
            let events = try parser.append(answer.body).map { try JSON(parsing: $0.data) }
            #expect(events.map { $0["method"]?.string } == ["notifications/progress", "notifications/message", nil])
            #expect(!answer.text.contains("\nid:"))
            // Without a level there are no logs, and nothing else comes first.
            let quiet = try await bench.post(
                Self.body("tools/call", #""name":"work""#), with: Self.headers("tools/call", "work"))
            #expect(!quiet.text.contains("notifications/message"))
        }
    }

    @Test func aQuestionIsAnsweredByTheNextRequest() async throws {
        try await run { (bench) async throws in
            let capabilities = #"{"elicitation":{}}"#
            let asked = try await bench.post(
                Self.body("tools/call", #""name":"ask""#, capabilities: capabilities),
                with: Self.headers("tools/call", "ask"))
            let result = try #require(try asked.json["result"])
            #expect(asked.status == 200 && result["resultType"] == "input_required")
            #expect(result["inputRequests"]?["q0_1"]?["params"] == ["message": "m"])
            let state = try #require(result["requestState"]?.string)
            let retry = #""name":"ask","inputResponses":{"q0_1":{"action":"accept"}},"requestState":"\#(state)""#
            let answered = try await bench.post(
                Self.body("tools/call", retry, id: "2", capabilities: capabilities),
                with: Self.headers("tools/call", "ask"))
            #expect(try answered.json["result"]?["content"] == [["action": "accept"]])
            let again = try await bench.post(
                Self.body("tools/call", retry, id: "3", capabilities: capabilities),
                with: Self.headers("tools/call", "ask"))
            #expect(again.status == 400)
            #expect(try again.json["error"]?["code"]?.int == -32602)
        }
    }

    /// Two users of one gateway: a state of the one is nothing to the other.
    @Test func aStateBelongsToItsUser() async throws {
        let tools = Tools()
        let tokens = try ["alice", "bob"].map {
            Token(digest: try BearerToken($0).digest, principal: Principal(name: $0))
        }
        try await Bench.run(authorization: .tokens(tokens), serve: { try await Peer.serve(over: $0, handler: tools) }) {
            bench in
            let capabilities = #"{"elicitation":{}}"#
            func call(_ user: String, _ params: String) async throws -> Bench.Answer {
                try await bench.post(
                    Self.body("tools/call", params, capabilities: capabilities),
                    with: Self.headers("tools/call", "ask", ["authorization": "Bearer \(user)"]))
            }
            let asked = try await call("alice", #""name":"ask""#)
            let state = try #require(try asked.json["result"]?["requestState"]?.string)
            let retry = #""name":"ask","inputResponses":{"q0_1":{"action":"accept"}},"requestState":"\#(state)""#
            #expect(try await call("bob", retry).status == 400)
            #expect(try await call("alice", retry).status == 200)
        }
    }

    @Test func leavingIsTakingBack() async throws {
        let tools = Tools()
        try await run(tools) { (bench) async throws in
            let request = bench.request(
                .POST, "/mcp", Self.body("tools/call", #""name":"hang""#), with: Self.headers("tools/call", "hang"))
            let call = Task { try await bench.send(request) }
            try await tools.hung.value
            call.cancel()
            try await tools.cancelled.value
        }
    }

    @Test func aSubscriptionIsAStream() async throws {
        try await run { (bench) async throws in
            let filter =
                #""notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourceSubscriptions":["a:b"]}"#
            var events = Events(
                try await bench.open(
                    bench.request(
                        .POST, "/mcp", Self.body("subscriptions/listen", filter, id: #""L""#),
                        with: Self.headers("subscriptions/listen"))))
            let first = try #require(try await events.message())
            #expect(first["method"] == "notifications/subscriptions/acknowledged")
            #expect(first["params"]?["notifications"] == ["toolsListChanged": true, "resourceSubscriptions": ["a:b"]])
            _ = try await bench.post(
                Self.body("tools/call", #""name":"change""#), with: Self.headers("tools/call", "change"))
            for method in ["notifications/tools/list_changed", "notifications/resources/updated"] {
                let event = try #require(try await events.message())
                #expect(event["method"]?.string == method)
                #expect(event["params"]?["_meta"]?["io.modelcontextprotocol/subscriptionId"] == "L")
            }
        }
    }

    @Test func bothErasShareOnePath() async throws {
        try await run { (bench) async throws in
            let session = try await bench.session("2025-11-25")
            let old = try await bench.call("tools/list", session: session)
            #expect(try old.json["result"]?["resultType"] == nil)
            let new = try await bench.post(Self.body("tools/list"), with: Self.headers("tools/list"))
            #expect(try new.json["result"]?["resultType"] == "complete")
        }
    }
}
