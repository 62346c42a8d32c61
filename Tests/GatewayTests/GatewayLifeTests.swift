import Core
import MCP
import NIOCore
import Synchronization
import SystemPackage
import TestSupport
import Testing
import Toolkit

@testable import Gateway

/// Servers come and go, fail and lie; clients are told, and nobody else notices.
@Suite(.timeLimit(.minutes(5))) struct GatewayLifeTests {
    private func echo() -> ScriptedMCP {
        ScriptedMCP(tools: ["t"], ["tools/call": { _, _ in raw(#"{"content":[]}"#) }])
    }

    @Test func theHandshakeWaitsForNobody() async throws {
        let mute = ScriptedConnector(ScriptedMCP(isMute: true))
        try await withGateway([("a", mute)]) { gateway in
            try await gateway.withClient { client async throws in #expect(try await client.ask("ping") == "{}") }
        }
    }

    @Test func aServerThatHangsOrFailsDoesNotEmptyTheOthersLists() async throws {
        let mute = ScriptedConnector(ScriptedMCP(isMute: true))
        let broken = ScriptedConnector(ScriptedMCP(), failing: Failure(.notFound, "it is not there"))
        try await withGateway(
            [("a", ScriptedConnector(echo())), ("b", mute), ("c", broken)],
            settings: { $0.otherListPatience = .milliseconds(50) },
            { gateway in
                try await gateway.withClient { client async throws in
                    let list = try JSON(parsing: try await client.ask("tools/list"))
                    #expect(list["tools"]?.array?.count == 1)
                    #expect(try await client.ask("tools/call", #"{"name":"t"}"#) == #"{"content":[]}"#)
                    let servers = try #require(gateway.report["servers"]?.array)
                    #expect(servers.map { $0["state"]?.string } == ["ready", "starting", "failed"])
                    #expect(servers[2]["lastError"]?.string?.contains("it is not there") == true)
                }
            })
    }

    @Test(arguments: ["tools/list", "tools/call"])
    func aServerThatCouldNotBeStartedIsTriedAgainInTheSameSession(_ method: String) async throws {
        let connector = ScriptedConnector(echo(), failing: Failure(.notFound, "its image is not there"))
        let client = TestClient()
        try await withGateway([("a", connector)]) { gateway in
            try await gateway.withClient(client) { peer async throws in
                #expect(try await peer.ask("tools/list") == #"{"tools":[]}"#)
                #expect(await peer.code("tools/call", #"{"name":"t"}"#) == -32602)
                connector.mend()
                if method == "tools/call" {
                    try await until { await peer.code("tools/call", #"{"name":"t"}"#) == nil }
                } else {
                    try await until { try await peer.ask("tools/list").contains(#""name":"t""#) }
                }
                #expect(connector.starts == 1)
                try await until { !client.told("notifications/tools/list_changed").isEmpty }
            }
        }
    }

    @Test func aCallOfADeadServerFailsAndTheNextOneWorks() async throws {
        let server = ScriptedMCP(tools: ["t"])
        server.answer("tools/call") { _, _ in
            await untilCancelled()
            throw CancellationError()
        }
        let connector = ScriptedConnector(server)
        try await withGateway([("a", connector)]) { gateway in
            try await gateway.withClient { client async throws in
                let call = Task { try await client.ask("tools/call", #"{"name":"t"}"#) }
                try await until { !server.asked("tools/call").isEmpty }
                server.answer("tools/call") { _, _ in raw("{}") }
                connector.kill()
                let error = await #expect(throws: RPC.Error.self) { try await call.value }
                #expect(error?.code == -32603)
                #expect(error?.message.contains("the MCP server a") == true)
                #expect(try await client.ask("tools/call", #"{"name":"t"}"#) == "{}")
                #expect(connector.starts == 2)
            }
        }
    }

    @Test func aCallThatTakesTooLongIsTakenBack() async throws {
        let server = ScriptedMCP(tools: ["t"])
        let isCancelled = Mutex(false)
        server.answer("tools/call") { _, _ in
            await untilCancelled()
            isCancelled.withLock { $0 = true }
            throw CancellationError()
        }
        try await withGateway(
            [("a", ScriptedConnector(server))], settings: { $0.callTimeout = .milliseconds(80) },
            { gateway in
                try await gateway.withClient { client async throws in
                    let error = await #expect(throws: RPC.Error.self) {
                        try await client.ask("tools/call", #"{"name":"t"}"#)
                    }
                    #expect(error?.message.contains("took too long") == true)
                    try await until { isCancelled.withLock { $0 } }
                }
            })
    }

    @Test func nonsenseFloodsAndLiesChangeNothing() async throws {
        let server = ScriptedMCP(tools: ["t"])
        let connector = ScriptedConnector(server)
        server.answer("tools/call") { request, peer in
            // Answers nobody asked for, twice, with ids of others; notifications without end; no messages at all.
            for id in ["99", "\"x\"", "null"] { await connector.babble(#"{"jsonrpc":"2.0","id":\#(id),"result":{}}"#) }
            await connector.babble("{]")
            await connector.babble(#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#)
            for _ in 0..<2000 { peer.notify("notifications/message", raw(#"{"level":"info"}"#)) }
            return raw(#"{"ok":true}"#)
        }
        try await withGateway([
            ("a", connector),
            ("b", ScriptedConnector(ScriptedMCP(tools: ["u"], ["tools/call": { _, _ in raw("{}") }]))),
        ]) {
            gateway in
            try await gateway.withClient { client async throws in
                async let other = client.ask("tools/call", #"{"name":"u"}"#)
                #expect(try await client.ask("tools/call", #"{"name":"t"}"#) == #"{"ok":true}"#)
                #expect(try await other == "{}")
                #expect(connector.starts == 1)
            }
        }
    }

    @Test func changedListsAreToldOnce() async throws {
        let server = echo()
        let connector = ScriptedConnector(server)
        let client = TestClient()
        try await withGateway([("a", connector)]) { gateway in
            try await gateway.withClient(client) { peer async throws in
                _ = try await peer.ask("tools/list")
                connector.peer?.notify("notifications/tools/list_changed")
                try await until { server.asked("tools/list").count == 2 }
                #expect(client.notifications.isEmpty)
                server.answer("tools/list") { _, _ in raw(#"{"tools":[{"name":"t"},{"name":"new"}]}"#) }
                connector.peer?.notify("notifications/tools/list_changed")
                try await until { !client.notifications.isEmpty }
                #expect(client.notifications.map(\.method) == ["notifications/tools/list_changed"])
                #expect(try await peer.ask("tools/list") == #"{"tools":[{"name":"t"},{"name":"new"}]}"#)
            }
        }
    }

    @Test func listsFromDiskNeedNoServer() async throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "lists")
        defer { try? Files.remove(folder) }
        for isFirst in [true, false] {
            let connector = ScriptedConnector(echo())
            try await withGateway([("a", connector)], settings: { $0.cache = folder.appending("x") }) { gateway in
                try await gateway.withClient { client async throws in
                    #expect(try await client.ask("tools/list").contains(#""name":"t""#))
                    #expect(connector.starts == (isFirst ? 1 : 0))
                    _ = try await client.ask("tools/call", #"{"name":"t"}"#)
                    #expect(connector.starts == 1)
                    try await until {
                        (try? POSIX.list(folder.appending("x")))?.contains { $0.hasSuffix(".json") } == true
                    }
                }
            }
        }
    }

    @Test(arguments: [
        "", "{", "[]", #"{"format":99}"#, #"{"format":1,"capabilities":[]}"#, String(repeating: "[", count: 9999),
    ])
    func listsOnDiskThatAreWrongAreNone(_ text: String) async throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "lists")
        defer { try? Files.remove(folder) }
        let cache = ListingCache(folder: folder)
        try Files.write(ByteBuffer(string: text), to: folder.appending("k.json"))
        #expect(cache.read("k") == nil)
        #expect(try POSIX.list(folder).isEmpty)
    }

    @Test func onlySoManyListsAreKept() async throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "lists")
        defer { try? Files.remove(folder) }
        let cache = ListingCache(folder: folder)
        for number in 0..<ListingCache.maximumFiles {
            try Files.write(ByteBuffer(string: ""), to: folder.appending("old\(number).json"))
        }
        let listing = ServerListing(capabilities: raw(#"{"tools":{}}"#), instructions: "x")
        cache.write(listing, "new")
        #expect(try POSIX.list(folder).count == ListingCache.maximumFiles)
        #expect(cache.read("new")?.instructions == "x")
    }

    @Test func aServerThatNobodyUsesStopsAndComesBack() async throws {
        let connector = ScriptedConnector(echo())
        let events = Mutex<[String]>([])
        try await withGateway(
            [("a", connector)], settings: { $0.idleTimeout = .milliseconds(40) },
            onEvent: { event in if case .idle(let server) = event { events.withLock { $0.append(server) } } },
            { gateway in
                try await gateway.withClient { client async throws in
                    _ = try await client.ask("tools/call", #"{"name":"t"}"#)
                    try await until { events.withLock { !$0.isEmpty } }
                    #expect(try await client.ask("tools/list").contains("\"t\""))
                    _ = try await client.ask("tools/call", #"{"name":"t"}"#)
                    #expect(connector.starts == 2)
                }
            })
    }

    @Test func aServerWhoseListsAreWaitedForIsNotIdle() async throws {
        let server = echo()
        server.answer("tools/list") { _, _ in
            try await Task.sleep(for: .milliseconds(300))
            return raw(#"{"tools":[{"name":"t","inputSchema":{"type":"object"}}]}"#)
        }
        let connector = ScriptedConnector(server)
        try await withGateway([("a", connector)], settings: { $0.idleTimeout = .milliseconds(40) }) { gateway in
            try await gateway.withClient { client async throws in
                #expect(try await client.ask("tools/call", #"{"name":"t"}"#) == #"{"content":[]}"#)
            }
        }
    }

    @Test(arguments: [(Sharing.call, 4), (.session, 2)]) func eachHasOneOfItsOwn(_ sharing: Sharing, _ starts: Int)
        async throws
    {
        let connector = ScriptedConnector(echo())
        try await withGateway([("a", connector)], settings: { $0.sharing = sharing }) { gateway in
            try await gateway.waitUntilListed()
            await gateway.releaseOwn()
            for _ in 0..<2 {
                try await gateway.withClient { client async throws in
                    for _ in 0..<2 { _ = try await client.ask("tools/call", #"{"name":"t"}"#) }
                }
            }
            // And one for the lists.
            #expect(connector.starts == starts + 1)
        }
    }

    @Test func noMoreRunThanMay() async throws {
        let connectors = ["a", "b", "c"].map {
            ($0, ScriptedConnector(ScriptedMCP(tools: [$0], ["tools/call": { _, _ in raw("{}") }])))
        }
        let folder = try Files.makeTemporaryDirectory(prefix: "lists")
        defer { try? Files.remove(folder) }
        try await withGateway(connectors, settings: { $0.cache = folder }) { gateway in
            try await gateway.waitUntilListed()
            try await until { try POSIX.list(folder).filter { $0.hasSuffix(".json") }.count == 3 }
        }
        try await withGateway(connectors, settings: { ($0.cache, $0.maximumRunning) = (folder, 2) }) { gateway in
            try await gateway.withClient { client async throws in
                for name in ["a", "b", "c", "a"] { _ = try await client.ask("tools/call", #"{"name":"\#(name)"}"#) }
                let running = gateway.report["servers"]?.array?.filter { $0["state"] == "ready" }
                #expect((running?.count ?? 9) <= 2)
            }
        }
    }

    @Test func aNewConfigurationIsAppliedWithoutDroppingAnybody() async throws {
        let connectors: [String: ScriptedConnector] = Dictionary(
            uniqueKeysWithValues: ["a", "b", "c"].map { name in
                (
                    name,
                    ScriptedConnector(
                        ScriptedMCP(tools: [name], ["tools/call": { _, _ in raw(#"{"of":"\#(name)"}"#) }]))
                )
            })
        let client = TestClient()
        var settings = GatewaySettings()
        settings.connector = { connectors[$0.name] }
        let before = settings
        try await Gateway.run(servers: try servers(["a", "b"]), settings: settings, engine: nil) { gateway in
            try await gateway.withClient(client) { peer async throws in
                _ = try await peer.ask("tools/list")
                for name in ["a", "b"] { _ = try await peer.ask("tools/call", #"{"name":"\#(name)"}"#) }
                // b gets another command, c is new.
                await gateway.apply(servers: try servers(["a", "b", "c"], ["b": "command: [x]"]), settings: before)
                try await until { try await peer.ask("tools/list").contains(#""c""#) }
                for name in ["a", "b", "c"] {
                    #expect(try await peer.ask("tools/call", #"{"name":"\#(name)"}"#) == #"{"of":"\#(name)"}"#)
                }
                #expect(connectors["a"]?.starts == 1)
                #expect(connectors["b"]?.starts == 2)
                #expect(!client.told("notifications/tools/list_changed").isEmpty)
                await gateway.apply(servers: try servers(["c"]), settings: before)
                #expect(await peer.code("tools/call", #"{"name":"a"}"#) == -32602)
                #expect(try await peer.ask("tools/list").contains(#""c""#))
            }
        }
    }

    @Test func whatNoServerCanBeStartedForEndsTheOnlyClient() async throws {
        let broken = ScriptedConnector(ScriptedMCP(), failing: Failure(.notFound, "it is not there"))
        let (_, far) = MemoryTransport.pair()
        await #expect(throws: NoServerReady.self) {
            try await withGateway([("a", broken)]) { try await $0.serve(over: far, isOnly: true) }
        }
    }

    @Test func aBatchIsAnsweredAsOne() async throws {
        let (near, far) = MemoryTransport.pair()
        try await withGateway([("a", ScriptedConnector(echo()))]) { gateway in
            async let served: Void = gateway.serve(over: far)
            await near.send(
                #"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-03-26"}}"#)
            var answers = near.received.makeAsyncIterator()
            _ = try await answers.next()
            await near.send(
                #"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/initialized"},5,"#
                    + #"{"jsonrpc":"2.0","id":"t","method":"tools/call","params":{"name":"t"}}]"#)
            let text = try await answers.next()
            let batch = try JSON(parsing: text ?? "").array
            #expect(batch?.map { $0["id"]?.text ?? "" } == ["1", "null", "\"t\""])
            await near.send(#"[{"jsonrpc":"2.0","method":"notifications/initialized"}]"#)
            await near.send("[]")
            let refusal = try await answers.next()
            #expect(try JSON(parsing: refusal ?? "")["error"]?["code"] == -32600)
            near.finish()
            try await served
        }
    }

    @Test func aLateClientDoesNotHoldUpTheOthers() async throws {
        // A client that never reads its answers, and one that does, of one server.
        let server = ScriptedConnector(echo())
        let (stuck, far) = MemoryTransport.pair()
        try await withGateway([("a", server)], entries: ["a": "stateless: true"]) { gateway in
            async let served: Void = gateway.serve(over: far)
            await stuck.send(
                #"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-03-26"}}"#)
            for number in 1...20 {
                await stuck.send(#"{"jsonrpc":"2.0","id":\#(number),"method":"tools/call","params":{"name":"t"}}"#)
            }
            try await gateway.withClient { client async throws in
                for _ in 0..<20 { _ = try await client.ask("tools/call", #"{"name":"t"}"#) }
            }
            stuck.finish()
            for try await _ in stuck.received {}
            try await served
        }
    }
}
