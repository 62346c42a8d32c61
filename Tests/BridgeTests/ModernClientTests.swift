import Bridge
import Core
import MCP
import Synchronization
import Testing

@Suite struct ModernClientTests {
    private static let elicits = #"{"elicitation":{},"roots":{}}"#
    private static let call = #""id":7,"method":"tools/call""#
    private static let t = #""name":"t","arguments":{"x":1}"#

    @Test func aSessionIsOpenedForTheFirstRequest() throws {
        let played = PlayedClient()
        #expect(
            try played.asks(#""id":1,"method":"tools/list""#, capabilities: Self.elicits, on: 1) == [
                #"> initialize#c1 {"protocolVersion":"2025-11-25","capabilities":\#(Self.elicits),"clientInfo":{"name":"unknown","version":"0"}} modern"#
            ])
        #expect(try played.asks(#""id":1,"method":"server/discover""#, on: 2) == [])
        #expect(
            try played.gateway(
                #""id":"c1","result":{"capabilities":{"tools":{},"tasks":{}},"serverInfo":{"name":"g"},"instructions":"i"}"#
            ) == [
                "> notifications/initialized", "> tools/list#c2 modern",
                #"< 2 {"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"instructions":"i","ttlMs":0,"cacheScope":"private"}"#,
            ])
        #expect(
            try played.gateway(#""id":"c2","result":{"tools":[ ]}"#) == [
                #"< 1 {"resultType":"complete","tools":[ ],"ttlMs":0,"cacheScope":"private"}"#
            ])
        #expect(played.client.isIdle)
    }

    @Test func aSessionThatCannotBeOpenedIsTriedAgain() throws {
        let played = PlayedClient()
        _ = try played.asks(#""id":1,"method":"tools/list""#, on: 1)
        #expect(try played.gateway(#""id":"c1","error":{"code":-32603,"message":"no"}"#) == ["< 1 !-32603"])
        #expect(try played.asks(#""id":1,"method":"tools/list""#, on: 2).count == 1)
    }

    @Test(arguments: [
        "initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "tasks/list",
        "tasks/result",
    ])
    func whatOnlyTheHandshakeEraHasIsUnknown(_ method: String) throws {
        let played = try PlayedClient.open()
        #expect(try played.asks(#""id":1,"method":"\#(method)""#, on: 1) == ["< 1 !-32601"])
    }

    @Test func errorsAreThoseOfTheModernProtocol() throws {
        let played = try PlayedClient.open()
        _ = try played.asks(#""id":1,"method":"resources/read""#, #""uri":"a:b""#, on: 1)
        #expect(try played.gateway(#""id":"c2","error":{"code":-32002,"message":"no"}"#) == ["< 1 !-32602"])
    }

    @Test func aClosedStreamIsACancellation() throws {
        let played = try PlayedClient.open()
        _ = try played.asks(Self.call, Self.t, on: 1)
        #expect(played.leaves(1) == [#"> notifications/cancelled {"requestId":"c2"}"#])
        #expect(try played.gateway(#""id":"c2","result":{}"#) == [])
        #expect(played.leaves(1) == [])
        #expect(played.client.isIdle)
    }

    // MARK: Questions

    /// Parks a call behind a question; its state is the last of `states`.
    private func parked(capabilities: String = elicits) throws -> PlayedClient {
        let played = try PlayedClient.open()
        _ = try played.asks(Self.call, Self.t, capabilities: capabilities, on: 1)
        let said = try played.gateway(
            #""id":55,"method":"elicitation/create","params":{"message":"m"}"#, relatedTo: "c2")
        #expect(
            said == [
                #"< 1 {"resultType":"input_required","inputRequests":{"q0_1":{"method":"elicitation/create","params":{"message":"m"}}}} S"#
            ])
        return played
    }

    private func retry(
        _ played: PlayedClient, _ state: String, _ responses: String = #"{"q0_1":{"action":"accept"}}"#,
        params: String = t, on exchange: Int
    ) throws -> [String] {
        try played.asks(
            #""id":8,"method":"tools/call""#, params + #","inputResponses":\#(responses),"requestState":"\#(state)""#,
            capabilities: Self.elicits, on: exchange)
    }

    @Test func aQuestionSendsTheClientOffAndTheCallGoesOn() throws {
        let played = try parked()
        // A second question while the client is away waits for it.
        #expect(try played.gateway(#""id":56,"method":"roots/list""#, relatedTo: "c2") == [])
        #expect(
            try retry(played, played.states[0], on: 2) == [
                #"> =55 {"action":"accept"}"#,
                #"< 2 {"resultType":"input_required","inputRequests":{"q1_2":{"method":"roots/list"}}} S"#,
            ])
        #expect(
            try retry(played, played.states[1], #"{"q1_2":{"roots":[ ]},"other":{}}"#, on: 3) == [
                #"> =56 {"roots":[ ]}"#
            ])
        #expect(
            try played.gateway(#""id":"c2","result":{"content":[]}"#) == [
                #"< 3 {"resultType":"complete","content":[]}"#
            ])
        #expect(played.client.isIdle)
        #expect(played.table.calls.withLock { $0.count } == 0)
    }

    @Test func whatIsLeftUnansweredIsAskedAgain() throws {
        let played = try parked()
        for exchange in 2...4 {
            let state = try #require(played.states.last)
            let said = try retry(played, state, "{}", on: exchange)
            #expect(said.count == 1 && said[0].hasPrefix(#"< \#(exchange) {"resultType":"input_required""#))
        }
    }

    @Test func anAnswerThatCameMeanwhileIsKept() throws {
        let played = try parked()
        #expect(try played.gateway(#""id":"c2","result":{"content":[]}"#) == [])
        #expect(try retry(played, played.states[0], on: 2) == [#"< 2 {"resultType":"complete","content":[]}"#])
    }

    @Test func whoDoesNotComeBackIsGivenUp() throws {
        let played = try parked()
        let id = try #require(RPC.ID(try raw("\"c2\"")))
        played.now = 10 * 60 * 1000
        #expect(played.table.calls.withLock { $0.expire(now: played.now) } == [.init(client: 1, call: id)])
        let said = played.text(played.client.expired(id))
        #expect(said.first == #"> notifications/cancelled {"requestId":"c2"}"#)
        #expect(try retry(played, played.states[0], on: 2).first == "< 2 !-32602")
    }

    /// Hostile states: refused, logged, and without effect on the call that waits.
    @Test(arguments: [
        "replayed", "tampered", "expired", "of another call", "of another process", "invented", "without",
    ])
    func hostileStatesAreRefused(_ kind: String) throws {
        let played = try parked()
        let state = played.states[0]
        var (used, params) = (state, Self.t)
        switch kind {
        case "replayed": _ = try retry(played, state, on: 2)
        case "tampered": used = String(state.dropLast(5)) + (state.hasSuffix("AAAAA") ? "BBBBB" : "AAAAA")
        case "expired": played.now = 10 * 60 * 1000
        case "of another call": params = #""name":"t","arguments":{"x":2}"#
        case "of another process": used = try parked().states[0]
        case "invented": used = "bm90aGluZw=="
        default: used = ""
        }
        let said = try retry(played, used, params: params, on: 3)
        #expect(said.first == "< 3 !-32602")
        #expect(said.count == 2 && said[1].hasPrefix("log "))
        #expect(!said[1].contains(used) || used.isEmpty)
        guard kind != "replayed", kind != "expired" else { return }
        #expect(try retry(played, state, on: 4) == [#"> =55 {"action":"accept"}"#])
    }

    @Test func aStateBelongsToWhoeverGotIt() throws {
        let seal = StateSeal()
        let table = PlayedClient.Table()
        let (mine, yours) = (
            PlayedClient(principal: "me", seal: seal, table: table),
            PlayedClient(principal: "you", seal: seal, table: table)
        )
        for played in [mine, yours] {
            _ = try played.asks(Self.call, Self.t, capabilities: Self.elicits, on: 1)
            _ = try played.gateway(#""id":"c1","result":{"capabilities":{"tools":{}},"serverInfo":{"name":"g"}}"#)
            _ = try played.gateway(#""id":55,"method":"elicitation/create","params":{"message":"m"}"#, relatedTo: "c2")
        }
        #expect(try retry(yours, mine.states[0], on: 2).first == "< 2 !-32602")
        #expect(try retry(mine, mine.states[0], on: 2) == [#"> =55 {"action":"accept"}"#])
    }

    @Test(arguments: [
        (#""id":55,"method":"sampling/createMessage","params":{}"#, "> !55 -32601"),
        (#""id":55,"method":"elicitation/create","params":{"mode":"url"}"#, #"> =55 {"action":"decline"}"#),
        (#""id":55,"method":"unknown""#, "> !55 -32601"), (#""id":55,"method":"ping""#, "> =55 {}"),
    ])
    func whatTheClientDoesNotOfferIsRefused(_ question: String, _ expected: String) throws {
        let played = try PlayedClient.open()
        _ = try played.asks(Self.call, Self.t, capabilities: Self.elicits, on: 1)
        #expect(try played.gateway(question, relatedTo: "c2").first == expected)
    }

    @Test func aQuestionWithoutACallIsRefused() throws {
        let played = try PlayedClient.open()
        let question = #""id":55,"method":"roots/list""#
        #expect(try played.gateway(question) == ["> !55 -32601"])
        _ = try played.asks(#""id":1,"method":"tools/list""#, capabilities: Self.elicits, on: 1)
        #expect(try played.gateway(question) == ["> !55 -32601"])
        _ = try played.asks(Self.call, Self.t, capabilities: Self.elicits, on: 2)
        #expect(try played.gateway(question).first?.hasPrefix("< 2 ") == true)
        // With several calls nobody can say whose it is.
        for exchange in 3...4 { _ = try played.asks(Self.call, Self.t, capabilities: Self.elicits, on: exchange) }
        #expect(try played.gateway(#""id":56,"method":"roots/list""#) == ["> !56 -32601"])
    }

    @Test func aServersOwnStateIsWrapped() throws {
        let played = try PlayedClient.open()
        _ = try played.asks(Self.call, Self.t, on: 1)
        let said = try played.gateway(
            #""id":"c2","result":{"resultType":"input_required","inputRequests":{"k":{"method":"roots/list"}},"requestState":"secret"}"#
        )
        #expect(said == [#"< 1 {"resultType":"input_required","inputRequests":{"k":{"method":"roots/list"}}} S"#])
        #expect(!played.states[0].contains("secret"))
        #expect(
            try retry(played, played.states[0], #"{"k":{ }}"#, on: 2) == [
                #"> tools/call#c3 {"name":"t","arguments":{"x":1},"inputResponses":{"k":{ }},"requestState":"secret"} modern"#
            ])
        #expect(try retry(played, played.states[0], on: 3).first == "< 3 !-32602")
    }

    @Test func aURLToVisitFirstIsAQuestion() throws {
        let played = try PlayedClient.open()
        let error =
            #"{"code":-32042,"message":"m","data":{"elicitations":[{"mode":"url","url":"https://a","message":"m","elicitationId":"e"}]}}"#
        _ = try played.asks(Self.call, Self.t, capabilities: Self.elicits, on: 1)
        #expect(try played.gateway(#""id":"c2","error":\#(error)"#) == ["< 1 !-32021"])
        _ = try played.asks(Self.call, Self.t, capabilities: #"{"elicitation":{"url":{}}}"#, on: 2)
        #expect(
            try played.gateway(#""id":"c3","error":\#(error)"#) == [
                #"< 2 {"resultType":"input_required","inputRequests":{"url1":{"method":"elicitation/create","params":{"mode":"url","url":"https://a","message":"m"}}}} S"#
            ])
        #expect(
            try retry(played, played.states[0], #"{"url1":{"action":"accept"}}"#, on: 3) == [
                #"> tools/call#c4 {"name":"t","arguments":{"x":1}} modern"#
            ])
    }

    @Test func aServerThatWantsATaskOfTheHandshakeEraGetsOne() throws {
        let played = try PlayedClient.open(#"{"tools":{},"tasks":{"requests":{"tools":{"call":{}}}}}"#)
        _ = try played.asks(Self.call, Self.t, on: 1)
        #expect(
            try played.gateway(#""id":"c2","error":{"code":-32601,"message":"needs a task"}"#) == [
                #"> tools/call#c3 {"name":"t","arguments":{"x":1},"task":{}} modern"#
            ])
        #expect(
            try played.gateway(#""id":"c3","result":{"task":{"taskId":"T","status":"working"}}"#) == [
                #"> tasks/result#c4 {"taskId":"T"}"#
            ])
        #expect(
            played.leaves(1) == [
                #"> notifications/cancelled {"requestId":"c4"}"#, #"> tasks/cancel#c5 {"taskId":"T"}"#,
            ])
    }

    // MARK: What comes unasked

    @Test func aCallGetsItsOwnProgressAndTheLogsItAskedFor() throws {
        let played = try PlayedClient.open()
        _ = try played.asks(Self.call, Self.t, meta: #","progressToken":"p""#, on: 1)
        #expect(
            try played.asks(Self.call, Self.t, meta: #","io.modelcontextprotocol/logLevel":"warning""#, on: 2) == [
                #"> logging/setLevel#c4 {"level":"warning"}"#,
                #"> tools/call#c3 {"name":"t","arguments":{"x":1}} modern level=warning"#,
            ])
        #expect(try played.gateway(#""id":"c4","result":{}"#) == [])
        let progress = #""method":"notifications/progress","params":{"progressToken":"p","progress":1}"#
        #expect(try played.gateway(progress).map { $0.prefix(4) } == ["< 1 "])
        #expect(try played.gateway(progress.replacing("\"p\"", with: "\"q\"")) == [])
        func log(_ level: String) -> String {
            #""method":"notifications/message","params":{"level":"\#(level)","data":1}"#
        }
        #expect(try played.gateway(log("error")).map { $0.prefix(4) } == ["< 2 "])
        #expect(try played.gateway(log("info")) == [])
        #expect(try played.gateway(log("error"), relatedTo: "c2") == [])
        // One level for all servers: only raised.
        #expect(
            try played.asks(Self.call, Self.t, meta: #","io.modelcontextprotocol/logLevel":"error""#, on: 3).count == 1)
        #expect(
            try played.asks(Self.call, Self.t, meta: #","io.modelcontextprotocol/logLevel":"debug""#, on: 4).count == 2)
    }

    @Test func aListenHearsWhatItAskedForAndCanHave() throws {
        let played = try PlayedClient.open(#"{"tools":{"listChanged":true},"resources":{"subscribe":true}}"#)
        let filter =
            #""notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourceSubscriptions":["a:1","a:2"]}"#
        #expect(
            try played.asks(#""id":"L","method":"subscriptions/listen""#, filter, on: 1) == [
                "> tools/list#c4", #"> resources/subscribe#c2 {"uri":"a:1"}"#,
                #"> resources/subscribe#c3 {"uri":"a:2"}"#,
            ])
        #expect(try played.gateway(#""id":"c2","result":{}"#) == [])
        #expect(try played.gateway(#""id":"c4","result":{"tools":[]}"#) == [])
        let stamp = #""_meta":{"io.modelcontextprotocol/subscriptionId":"L"}"#
        #expect(
            try played.gateway(#""id":"c3","error":{"code":-32002,"message":"no"}"#) == [
                #"< 1 notifications/subscriptions/acknowledged {"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a:1"]},\#(stamp)}"#
            ])
        // Another stream for the same resource costs the server nothing, and hears of nothing else.
        #expect(
            try played.asks(
                #""id":9,"method":"subscriptions/listen""#, #""notifications":{"resourceSubscriptions":["a:1"]}"#, on: 2
            ).count == 1)
        #expect(
            try played.gateway(#""method":"notifications/tools/list_changed""#) == [
                #"< 1 notifications/tools/list_changed {\#(stamp)}"#
            ])
        #expect(try played.gateway(#""method":"notifications/prompts/list_changed""#) == [])
        #expect(try played.gateway(#""method":"notifications/resources/updated","params":{"uri":"a:1"}"#).count == 2)
        #expect(try played.gateway(#""method":"notifications/resources/updated","params":{"uri":"a:2"}"#) == [])
        #expect(played.leaves(1) == [])
        #expect(played.leaves(2) == [#"> resources/unsubscribe#c5 {"uri":"a:1"}"#])
        #expect(played.client.isIdle)
    }

    @Test func aListenHearsOfItsTasksWhereThereAreAny() throws {
        let filter = #""notifications":{"taskIds":["t1"]}"#
        let played = try PlayedClient.open(#"{"tools":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#)
        #expect(
            try played.asks(#""id":"L","method":"subscriptions/listen""#, filter, on: 1) == [
                #"> tasks/subscribe#c2 {"taskId":"t1"}"#
            ])
        let stamp = #""_meta":{"io.modelcontextprotocol/subscriptionId":"L"}"#
        #expect(
            try played.gateway(#""id":"c2","result":{}"#) == [
                #"< 1 notifications/subscriptions/acknowledged {"notifications":{"taskIds":["t1"]},\#(stamp)}"#
            ])
        #expect(
            try played.gateway(#""method":"notifications/tasks","params":{"taskId":"t1","status":"working"}"#) == [
                #"< 1 notifications/tasks {"taskId":"t1","status":"working",\#(stamp)}"#
            ])
        #expect(try played.gateway(#""method":"notifications/tasks","params":{"taskId":"t2"}"#) == [])
        #expect(played.leaves(1) == [#"> tasks/unsubscribe#c3 {"taskId":"t1"}"#])
        // Nobody has tasks: nothing of them is honoured.
        let without = try PlayedClient.open()
        #expect(
            try without.asks(#""id":"L","method":"subscriptions/listen""#, filter, on: 1) == [
                #"< 1 notifications/subscriptions/acknowledged {"notifications":{},\#(stamp)}"#
            ])
    }

    @Test func theEndOfTheGatewayEndsEverything() throws {
        let played = try PlayedClient.open()
        _ = try played.asks(
            #""id":"L","method":"subscriptions/listen""#, #""notifications":{"toolsListChanged":true}"#, on: 1)
        _ = try played.gateway(#""id":"c2","result":{"tools":[]}"#)
        _ = try played.asks(Self.call, Self.t, on: 2)
        #expect(
            played.text(played.client.close(.internalError("over"))) == [
                #"< 1 {"resultType":"complete"}"#, "< 2 !-32603",
            ])
    }
}
