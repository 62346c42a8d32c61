import Core
import MCP
import Synchronization
import TestSupport
import Testing

@testable import Gateway

/// What clients and servers say to each other comes through, under the names each knows.
@Suite(.timeLimit(.minutes(5))) struct PassageTests {
    private static let everything = #"""
        {"tools":{"listChanged":true},"prompts":{},"resources":{"subscribe":true},"logging":{},"completions":{}}
        """#

    @Test func aCallAndItsAnswerKeepTheirBytes() async throws {
        let arguments = #"{"n":1.0,"big":12345678901234567890,"e":1e2,"s":"\u00e9\/","unknown":[ {} ]}"#
        let result = #"{"content":[],"structuredContent":{"x":1.50,"y":[1 ,2]},"_meta":{"k":-0.0},"more":null}"#
        let connector = ScriptedConnector(ScriptedMCP(tools: ["t"], ["tools/call": { _, _ in raw(result) }]))
        try await withGateway([("a", connector)]) { gateway in
            let answer = try await gateway.withClient { client async throws in
                try await client.ask(
                    "tools/call",
                    #"{"name":"t","arguments":\#(arguments),"_meta":{"traceparent":"00-1-2-01"},"extra":true}"#)
            }
            #expect(answer == result)
            let asked = try #require(connector.server.asked("tools/call").first)
            #expect(
                asked.params?.text
                    == #"{"name":"t","arguments":\#(arguments),"_meta":{"traceparent":"00-1-2-01"},"extra":true}"#)
        }
    }

    @Test func namesThatClashLeadToTheirServers() async throws {
        let a = ScriptedConnector(ScriptedMCP(tools: ["x", "only"], ["tools/call": { _, _ in raw(#"{"from":"a"}"#) }]))
        let b = ScriptedConnector(
            ScriptedMCP(
                tools: ["x"],
                ["tools/call": { request, _ in raw(#"{"from":"b","name":\#(request.params?["name"]?.text ?? "")}"#) }]))
        try await withGateway([("a", a), ("b", b)]) { gateway in
            try await gateway.withClient { client async throws in
                let list = try JSON(parsing: try await client.ask("tools/list"))
                #expect(list["tools"]?.array?.compactMap { $0["name"]?.string } == ["a__x", "only", "b__x"])
                #expect(try await client.ask("tools/call", #"{"name":"b__x"}"#) == #"{"from":"b","name":"x"}"#)
                #expect(await client.code("tools/call", #"{"name":"x"}"#) == -32602)
            }
            // One server's own names, without the other.
            try await gateway.withClient(view: .only("b")) { client async throws in
                #expect(try await client.ask("tools/call", #"{"name":"x"}"#) == #"{"from":"b","name":"x"}"#)
                #expect(await client.code("tools/call", #"{"name":"only"}"#) == -32602)
            }
        }
    }

    @Test func progressHasTheClientsOwnToken() async throws {
        let server = ScriptedMCP(tools: ["t"])
        server.answer("tools/call") { request, peer in
            let token = request.params?["_meta"]?["progressToken"] ?? raw("null")
            for step in ["0.5", "1.0"] {
                peer.notify(
                    "notifications/progress", raw(#"{"progressToken":\#(token.text),"progress":\#(step),"x":1}"#))
            }
            // Of nobody's call.
            peer.notify("notifications/progress", raw(#"{"progressToken":"other","progress":9}"#))
            return raw("{}")
        }
        let clients = [TestClient(), TestClient()]
        try await withGateway([("a", ScriptedConnector(server))], entries: ["a": "stateless: true"]) { gateway in
            // Both call their token the same.
            for client in clients {
                _ = try await gateway.withClient(client) { peer async throws in
                    try await peer.ask("tools/call", #"{"name":"t","_meta":{"progressToken":"p","kept":1}}"#)
                }
            }
        }
        for client in clients {
            #expect(
                client.told("notifications/progress").map { $0.params?.text } == [
                    #"{"progressToken":"p","progress":0.5,"x":1}"#, #"{"progressToken":"p","progress":1.0,"x":1}"#,
                ])
        }
        #expect(server.asked("tools/call").allSatisfy { $0.params?["_meta"]?["kept"]?.text == "1" })
    }

    @Test func aCancellationReachesTheServer() async throws {
        let server = ScriptedMCP(tools: ["slow"])
        server.answer("tools/call") { _, _ in
            await untilCancelled()
            throw CancellationError()
        }
        try await withGateway([("a", ScriptedConnector(server))]) { gateway in
            try await gateway.withClient { client async throws in
                let call = Task { try await client.ask("tools/call", #"{"name":"slow"}"#) }
                try await until { !server.asked("tools/call").isEmpty }
                let isOver = Mutex(false)
                server.answer("tools/call") { _, _ in
                    isOver.withLock { $0 = true }
                    return raw("{}")
                }
                call.cancel()
                await #expect(throws: CancellationError.self) { try await call.value }
                // The connection goes on.
                #expect(try await client.ask("tools/call", #"{"name":"slow"}"#) == "{}")
                try await until { gateway.report["servers"]?.array?.first?["active"] == 0 }
            }
        }
    }

    @Test(arguments: [
        ("sampling/createMessage", #"{"sampling":{"tools":{}}}"#, #"{"messages":[],"maxTokens":5,"tools":[]}"#),
        ("elicitation/create", #"{"elicitation":{}}"#, #"{"message":"?","requestedSchema":{"x":1.0}}"#),
        (
            "elicitation/create", #"{"elicitation":{"url":{}}}"#,
            #"{"mode":"url","url":"https://x","elicitationId":"e"}"#
        ),
        ("roots/list", #"{"roots":{}}"#, "{}"),
    ])
    func whatAServerAsksTheClientAnswers(_ method: String, _ capabilities: String, _ params: String) async throws {
        let server = ScriptedMCP(tools: ["t"])
        server.answer("tools/call") { request, peer in
            let answer = try await peer.request(method, raw(params), relatedTo: request.id)
            return RawJSON(object: [("got", answer)])
        }
        let client = TestClient([method: { _, _ in raw(#"{"answer":1.0}"#) }])
        let result = try await withGateway([("a", ScriptedConnector(server))]) { gateway in
            try await gateway.withClient(client, capabilities: capabilities) { peer async throws in
                try await peer.ask("tools/call", #"{"name":"t"}"#)
            }
        }
        #expect(result == #"{"got":{"answer":1.0}}"#)
        #expect(client.requests.map(\.params?.text) == [params])
        #expect(server.asked("initialize").first?.params?["capabilities"]?.text == capabilities)
    }

    @Test(
        arguments: [
            ("sampling/createMessage", "{}", -32601), ("roots/list", "{}", -32601), ("elicitation/create", "{}", nil),
            ("sampling/createMessage", #"{"sampling":{}}"#, -32601),
            ("elicitation/create", #"{"elicitation":{}}"#, nil),
        ] as [(String, String, Int?)])
    func whatTheClientHasNotDeclaredIsRefusedCleanly(_ method: String, _ capabilities: String, _ code: Int?)
        async throws
    {
        let server = ScriptedMCP(tools: ["t"])
        server.answer("tools/call") { _, peer in
            do {
                return RawJSON(object: [("got", try await peer.request(method, raw(#"{"tools":[],"mode":"url"}"#)))])
            } catch let error as RPC.Error { return RawJSON(object: [("code", RawJSON(.int(error.code)))]) }
        }
        let client = TestClient()
        let result = try await withGateway(
            [("a", ScriptedConnector(server))], entries: ["a": "stateless: true"]
        ) { gateway in
            try await gateway.withClient(client, capabilities: capabilities) { peer async throws in
                try await peer.ask("tools/call", #"{"name":"t"}"#)
            }
        }
        #expect(result == (code.map { #"{"code":\#($0)}"# } ?? #"{"got":{"action":"cancel"}}"#))
        #expect(client.requests.isEmpty)
    }

    @Test func aClientsErrorReachesTheServerUntouched() async throws {
        let server = ScriptedMCP(tools: ["t"])
        server.answer("tools/call") { _, peer in
            do { return try await peer.request("sampling/createMessage", raw("{}")) } catch let error as RPC.Error {
                throw error
            }
        }
        let client = TestClient([
            "sampling/createMessage": { _, _ in
                throw RPC.Error(code: -1, message: "no", data: raw(#"{"why":1.0}"#))
            }
        ])
        let error = await #expect(throws: RPC.Error.self) {
            try await withGateway([("a", ScriptedConnector(server))]) { gateway in
                try await gateway.withClient(client, capabilities: #"{"sampling":{}}"#) { peer async throws in
                    try await peer.ask("tools/call", #"{"name":"t"}"#)
                }
            }
        }
        #expect(error?.json.text == #"{"code":-1,"message":"no","data":{"why":1.0}}"#)
    }

    @Test func logMessagesAreThoseTheClientWants() async throws {
        let server = ScriptedMCP(capabilities: Self.everything, tools: ["t"])
        server.answer("logging/setLevel") { _, _ in raw("{}") }
        server.answer("tools/call") { _, peer in
            for level in ["debug", "info", "warning", "emergency"] {
                peer.notify("notifications/message", raw(#"{"level":"\#(level)","data":{"n":1.0}}"#))
            }
            return raw("{}")
        }
        let client = TestClient()
        try await withGateway([("a", ScriptedConnector(server))]) { gateway in
            try await gateway.withClient(client) { peer async throws in
                #expect(await peer.code("logging/setLevel", #"{"level":"loud"}"#) == -32602)
                #expect(try await peer.ask("logging/setLevel", #"{"level":"warning"}"#) == "{}")
                _ = try await peer.ask("tools/call", #"{"name":"t"}"#)
                try await until { !server.asked("logging/setLevel").isEmpty }
            }
        }
        #expect(server.asked("logging/setLevel").map { $0.params?["level"]?.string } == ["warning"])
        #expect(client.told("notifications/message").map { $0.params?["level"]?.string } == ["warning", "emergency"])
    }

    @Test func promptsResourcesAndCompletionFindTheirServer() async throws {
        func make(_ name: String) -> ScriptedConnector {
            ScriptedConnector(
                ScriptedMCP(
                    capabilities: Self.everything,
                    [
                        "prompts/list": { _, _ in raw(#"{"prompts":[{"name":"p"}]}"#) },
                        "resources/list": { request, _ in
                            // Two pages.
                            request.params?["cursor"] == nil
                                ? raw(#"{"resources":[{"uri":"r://same"}],"nextCursor":"2"}"#)
                                : raw(#"{"resources":[{"uri":"r://\#(name)"}]}"#)
                        },
                        "resources/templates/list": { _, _ in
                            raw(#"{"resourceTemplates":[{"uriTemplate":"\#(name)://{id}/x"}]}"#)
                        },
                        "prompts/get": { request, _ in
                            raw(#"{"from":"\#(name)","name":\#(request.params?["name"]?.text ?? "")}"#)
                        },
                        "resources/read": { request, _ in
                            raw(#"{"contents":[{"uri":\#(request.params?["uri"]?.text ?? ""),"text":"\#(name)"}]}"#)
                        },
                        "completion/complete": { request, _ in
                            raw(#"{"from":"\#(name)","ref":\#(request.params?["ref"]?.text ?? "")}"#)
                        },
                    ]))
        }
        try await withGateway([("a", make("a")), ("b", make("b"))]) { gateway in
            try await gateway.withClient { client async throws in
                let prompts = try JSON(parsing: try await client.ask("prompts/list"))
                #expect(prompts["prompts"]?.array?.compactMap { $0["name"]?.string } == ["a__p", "b__p"])
                #expect(try await client.ask("prompts/get", #"{"name":"b__p"}"#) == #"{"from":"b","name":"p"}"#)
                let resources = try JSON(parsing: try await client.ask("resources/list"))
                #expect(
                    resources["resources"]?.array?.compactMap { $0["uri"]?.string } == [
                        "mcp-server://a/r://same", "r://a", "mcp-server://b/r://same", "r://b",
                    ])
                for (uri, name) in [("mcp-server://b/r://same", "b"), ("r://a", "a"), ("b://7/x", "b")] {
                    #expect(
                        try await client.ask("resources/read", #"{"uri":"\#(uri)"}"#)
                            == #"{"contents":[{"uri":"\#(uri)","text":"\#(name)"}]}"#)
                }
                #expect(await client.code("resources/read", #"{"uri":"z://1"}"#) == -32002)
                #expect(
                    try await client.ask(
                        "completion/complete", #"{"ref":{"type":"ref/prompt","name":"a__p"},"argument":{}}"#)
                        == #"{"from":"a","ref":{"type":"ref/prompt","name":"p"}}"#)
                #expect(
                    try await client.ask(
                        "completion/complete", #"{"ref":{"type":"ref/resource","uri":"b://{id}/x"},"argument":{}}"#)
                        == #"{"from":"b","ref":{"type":"ref/resource","uri":"b://{id}/x"}}"#)
            }
        }
    }

    @Test func aChangedResourceIsToldToThoseWhoAskedForIt() async throws {
        let server = ScriptedMCP(
            capabilities: Self.everything,
            [
                "resources/list": { _, _ in raw(#"{"resources":[{"uri":"r://1"}]}"#) },
                "resources/subscribe": { _, _ in raw("{}") }, "resources/unsubscribe": { _, _ in raw("{}") },
                "resources/templates/list": { _, _ in throw RPC.Error.methodNotFound("") },
                "prompts/list": { _, _ in raw(#"{"prompts":[]}"#) },
            ])
        let connector = ScriptedConnector(server)
        let (a, b) = (TestClient(), TestClient())
        try await withGateway([("a", connector)], entries: ["a": "stateless: true"]) { gateway in
            try await gateway.withClient(a) { first async throws in
                try await gateway.withClient(b) { second async throws in
                    for peer in [first, second] { _ = try await peer.ask("resources/subscribe", #"{"uri":"r://1"}"#) }
                    connector.peer?.notify("notifications/resources/updated", raw(#"{"uri":"r://1"}"#))
                    try await until { !a.notifications.isEmpty && !b.notifications.isEmpty }
                    // Still wanted by the other one, so the server is not told.
                    #expect(try await second.ask("resources/unsubscribe", #"{"uri":"r://1"}"#) == "{}")
                    #expect(server.asked("resources/unsubscribe").isEmpty)
                    connector.peer?.notify("notifications/resources/updated", raw(#"{"uri":"r://1"}"#))
                    try await until { a.notifications.count == 2 }
                    _ = try await first.ask("resources/unsubscribe", #"{"uri":"r://1"}"#)
                    #expect(server.asked("resources/unsubscribe").count == 1)
                    #expect(b.notifications.count == 1)
                }
            }
        }
    }

    @Test func aTaskIsOnlyFoundByWhoBeganIt() async throws {
        let server = ScriptedMCP(
            capabilities: #"{"tools":{},"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}}"#,
            tools: ["t"],
            [
                "tools/call": { _, _ in raw(#"{"task":{"taskId":"1","status":"working"}}"#) },
                "tasks/get": { request, _ in
                    raw(#"{"taskId":\#(request.params?["taskId"]?.text ?? ""),"status":"completed"}"#)
                },
                "tasks/list": { _, _ in raw(#"{"tasks":[{"taskId":"1"},{"taskId":"2"}]}"#) },
            ])
        try await withGateway([("a", ScriptedConnector(server))], entries: ["a": "stateless: true"]) { gateway in
            try await gateway.withClient { first async throws in
                _ = try await first.ask("tools/call", #"{"name":"t","task":{"ttl":1000}}"#)
                #expect(try await first.ask("tasks/get", #"{"taskId":"1"}"#) == #"{"taskId":"1","status":"completed"}"#)
                #expect(try await first.ask("tasks/list") == #"{"tasks":[{"taskId":"1"}]}"#)
                try await gateway.withClient { second async throws in
                    #expect(await second.code("tasks/get", #"{"taskId":"1"}"#) == -32602)
                    #expect(try await second.ask("tasks/list") == #"{"tasks":[]}"#)
                }
            }
        }
    }

    /// Tasks come from every page of every server, and one that fails does not empty the others' list.
    @Test func tasksAreListedFromAllPagesOfAllServers() async throws {
        let capabilities = #"{"tools":{},"tasks":{"list":{},"requests":{"tools":{"call":{}}}}}"#
        let count = Mutex(0)
        let paging = ScriptedMCP(
            capabilities: capabilities, tools: ["p"],
            [
                "tools/call": { _, _ in
                    raw(#"{"task":{"taskId":"p\#(count.withLock { $0 += 1; return $0 })","status":"working"}}"#)
                },
                "tasks/list": { request, _ in
                    switch request.params?["cursor"]?.string {
                    case nil: raw(#"{"tasks":[{"taskId":"p1"}],"nextCursor":"x"}"#)
                    case "x": raw(#"{"tasks":[{"taskId":"p2"}],"nextCursor":"y"}"#)
                    default: raw(#"{"tasks":[{"taskId":"p3"}]}"#)
                    }
                },
            ])
        let failing = ScriptedMCP(
            capabilities: capabilities, tools: ["f"],
            [
                "tools/call": { _, _ in raw(#"{"task":{"taskId":"f1","status":"working"}}"#) },
                "tasks/list": { _, _ in throw RPC.Error(code: -32603, message: "no") },
            ])
        try await withGateway([("a", ScriptedConnector(failing)), ("b", ScriptedConnector(paging))]) { gateway in
            try await gateway.withClient { client async throws in
                for tool in ["f", "p", "p", "p"] {
                    _ = try await client.ask("tools/call", #"{"name":"\#(tool)","task":{"ttl":1000}}"#)
                }
                #expect(
                    try await client.ask("tasks/list")
                        == #"{"tasks":[{"taskId":"p1"},{"taskId":"p2"},{"taskId":"p3"}]}"#)
            }
        }
    }

    @Test func aRelatedNotificationSaysSo() async throws {
        // What a transport with several streams is told of a message.
        let sent = Sent()
        let (near, far) = MemoryTransport.pair()
        let server = ScriptedMCP(tools: ["t"])
        server.answer("tools/call") { _, peer in
            peer.notify("notifications/message", raw(#"{"level":"info"}"#))
            return raw("{}")
        }
        try await withGateway([("a", ScriptedConnector(server))]) { gateway in
            async let served: Void = gateway.serve(over: Listening(base: far, sent: sent))
            try await Peer.run(over: near, handler: TestClient()) { peer async throws in
                _ = try await peer.ask("initialize", #"{"protocolVersion":"2025-11-25","capabilities":{}}"#)
                _ = try await peer.ask("tools/call", #"{"name":"t"}"#)
            }
            try await served
        }
        #expect(
            sent.relations.withLock { $0 } == [.answer(to: RPC.ID(1)), .request(RPC.ID(2)), .answer(to: RPC.ID(2))])
    }

    private final class Sent: Sendable {
        let relations = Mutex<[Relation]>([])
    }

    private struct Listening: Transport {
        let base: MemoryTransport
        let sent: Sent

        func connect<R: Sendable>(
            _ body: (MemoryTransport.Messages, @escaping SendMessage) async throws -> R
        ) async throws -> R {
            try await base.connect { messages, send in
                try await body(messages) { bytes, relation in
                    sent.relations.withLock { $0.append(relation) }
                    try await send(bytes, relation)
                }
            }
        }
    }
}
