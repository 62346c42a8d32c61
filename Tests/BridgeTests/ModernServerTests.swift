import Bridge
import Core
import MCP
import Testing

@Suite struct ModernServerTests {
    private static let capable =
        #""id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{},"roots":{},"tasks":{}},"clientInfo":{"name":"c","version":"1"}}"#
    private static let call = #""id":5,"method":"tools/call","params":{"name":"t","arguments":{"x":1.0}}"#

    @Test func aHandshakeIsAnsweredFromTheDiscovery() throws {
        var played = try PlayedServer(
            #"{"capabilities":{"tools":{}},"instructions":"i","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"}}}"#
        )
        #expect(
            try played.gateway(Self.capable) == [
                #"< =1 {"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s"},"instructions":"i"}"#
            ])
        #expect(try played.gateway(#""method":"notifications/initialized""#) == [])
        #expect(try played.gateway(#""id":"p","method":"ping""#) == ["< =p {}"])
    }

    @Test func callsGetAnEnvelopeAndTheirResultsLoseTheirs() throws {
        var played = try PlayedServer()
        _ = try played.gateway(Self.capable)
        #expect(try played.gateway(Self.call) == [#"> tools/call#w1 {"name":"t","arguments":{"x":1.0}} modern"#])
        #expect(
            try played.says(
                #""id":"w1","result":{"resultType":"complete","content":[ ],"_meta":{"io.modelcontextprotocol/serverInfo":{}}}"#
            )
                == [#"< =5 {"content":[ ]}"#])
        #expect(try played.says(#""id":"w1","result":{}"#) == [])
        #expect(try played.gateway(#""id":6,"method":"tools/list""#) == ["> tools/list#w2 modern"])
        #expect(try played.says(#""id":"w2","error":{"code":-32022,"message":"no"}"#) == ["< !6 -32603"])
    }

    @Test(arguments: [(#"{"a":1}"#, true), ("[1]", false), ("null", false), ("5", false)])
    func structureOfOtherTypesIsKeptFromOlderClients(_ structure: String, _ stays: Bool) throws {
        var played = try PlayedServer()
        _ = try played.gateway(Self.call)
        let said = try played.says(#""id":"w1","result":{"content":[],"structuredContent":\#(structure)}"#)
        #expect(said == [stays ? #"< =5 {"content":[],"structuredContent":\#(structure)}"# : #"< =5 {"content":[]}"#])
    }

    @Test func theLogLevelGoesWithEveryRequest() throws {
        var played = try PlayedServer()
        #expect(try played.gateway(#""id":2,"method":"logging/setLevel","params":{"level":"info"}"#) == ["< =2 {}"])
        #expect(try played.gateway(#""id":3,"method":"logging/setLevel","params":{"level":"loud"}"#) == ["< !3 -32602"])
        #expect(try played.gateway(#""id":4,"method":"prompts/list""#) == ["> prompts/list#w1 modern level=info"])
    }

    @Test func inputIsAskedOfTheClientAndTheCallRepeated() throws {
        var played = try PlayedServer()
        _ = try played.gateway(Self.capable)
        _ = try played.gateway(Self.call)
        let wanted =
            #""id":"w1","result":{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"},"b":{"method":"elicitation/create","params":{"message":"m"}}},"requestState":"s"}"#
        #expect(
            try played.says(wanted) == [
                #"< roots/list#w3 {"_meta":{"wharf/call":"5"}}"#,
                #"< elicitation/create#w4 {"message":"m","_meta":{"wharf/call":"5"}}"#,
            ])
        #expect(try played.gateway(#""id":"w4","result":{"action":"accept"}"#) == [])
        #expect(
            try played.gateway(#""id":"w3","result":{"roots":[ ]}"#) == [
                #"> tools/call#w5 {"name":"t","arguments":{"x":1.0},"inputResponses":{"b":{"action":"accept"},"a":{"roots":[ ]}},"requestState":"s"} modern"#
            ])
        // Again, this time without a state: the old one is not sent any more.
        #expect(
            try played.says(
                #""id":"w5","result":{"resultType":"input_required","inputRequests":{"c":{"method":"roots/list"}}}"#)
                == [#"< roots/list#w7 {"_meta":{"wharf/call":"5"}}"#])
        #expect(
            try played.gateway(#""id":"w7","result":{"roots":[]}"#) == [
                #"> tools/call#w8 {"name":"t","arguments":{"x":1.0},"inputResponses":{"c":{"roots":[]}}} modern"#
            ])
        #expect(try played.says(#""id":"w8","result":{"content":[]}"#) == [#"< =5 {"content":[]}"#])
    }

    @Test func aStateAloneIsSentBackAfterAPause() throws {
        var played = try PlayedServer()
        _ = try played.gateway(Self.call)
        let waits = try played.says(#""id":"w1","result":{"resultType":"input_required","requestState":"s"}"#)
        #expect(waits.count == 1 && waits[0].hasPrefix("wait 0.05"))
        let id = try #require(RPC.ID(try raw("\"w2\"")))
        #expect(
            PlayedServer.text(played.server.elapsed(.again(id))) == [
                #"> tools/call#w3 {"name":"t","arguments":{"x":1.0},"requestState":"s"} modern"#
            ])
        #expect(PlayedServer.text(played.server.elapsed(.again(id))) == [])
    }

    @Test(arguments: [
        #"{"k":{"method":"sampling/createMessage"}}"#,
        #"{"k":{"method":"elicitation/create","params":{"mode":"url"}}}"#,
    ])
    func whatTheClientCannotDoFailsTheCall(_ requests: String) throws {
        var played = try PlayedServer()
        _ = try played.gateway(Self.capable)
        _ = try played.gateway(Self.call)
        #expect(
            try played.says(#""id":"w1","result":{"resultType":"input_required","inputRequests":\#(requests)}"#) == [
                "< !5 -32603"
            ])
    }

    @Test func aServerCannotAskForEver() throws {
        var played = try PlayedServer()
        _ = try played.gateway(Self.capable)
        var said = try played.gateway(Self.call)
        var rounds = 0
        while let id = said.last?.split(separator: "#").last?.prefix(while: { $0 != " " }), rounds < 100 {
            rounds += 1
            said = try played.says(
                #""id":"\#(id)","result":{"resultType":"input_required","inputRequests":{"c":{"method":"roots/list"}}}"#
            )
            if said == ["< !5 -32603"] { break }
            let question = said[0].split(separator: "#")[1].prefix { $0 != " " }
            said = try played.gateway(#""id":"\#(question)","result":{"roots":[]}"#)
        }
        #expect(rounds == 17)
    }

    @Test func cancellingTakesTheQuestionsBack() throws {
        var played = try PlayedServer()
        _ = try played.gateway(Self.capable)
        _ = try played.gateway(Self.call)
        let cancel = #""method":"notifications/cancelled","params":{"requestId":5}"#
        _ = try played.says(
            #""id":"w1","result":{"resultType":"input_required","inputRequests":{"c":{"method":"roots/list"}}}"#)
        #expect(try played.gateway(cancel) == [#"< notifications/cancelled {"requestId":"w3"}"#])
        #expect(try played.gateway(#""id":"w3","result":{"roots":[]}"#) == [])
        _ = try played.gateway(Self.call)
        #expect(try played.gateway(cancel) == ["x w4"])
        #expect(try played.gateway(cancel) == [])
    }

    @Test func modernClientsGetWhatTheServerSaid() throws {
        var played = try PlayedServer()
        let own = #""_meta":{\#(envelope),"progressToken":7}"#
        #expect(
            try played.gateway(#""id":5,"method":"tools/call","params":{"name":"t",\#(own)}"#) == [
                #"> tools/call#w1 {"name":"t","_meta":{"progressToken":7}} modern"#
            ])
        let wanted = #"{"resultType":"input_required","requestState":"s"}"#
        #expect(try played.says(#""id":"w1","result":\#(wanted)"#) == ["< =5 \(wanted)"])
        #expect(try played.gateway(#""id":6,"method":"tasks/get","params":{"taskId":"t",\#(own)}"#).count == 1)
        #expect(try played.says(#""id":"w2","error":{"code":-32021,"message":"no"}"#) == ["< !6 -32021"])
    }

    @Test func tasksOfTheHandshakeEraAreAnotherProtocol() throws {
        var played = try PlayedServer()
        #expect(try played.gateway(#""id":5,"method":"tools/call","params":{"name":"t","task":{}}"#) == ["< !5 -32601"])
        #expect(try played.gateway(#""id":6,"method":"tasks/get","params":{"taskId":"t"}"#) == ["< !6 -32601"])
    }

    @Test func aTaskIsWaitedFor() throws {
        var played = try PlayedServer()
        _ = try played.gateway(Self.capable)
        _ = try played.gateway(Self.call)
        let insists =
            #""id":"w1","error":{"code":-32021,"message":"m","data":{"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}}"#
        #expect(try played.says(insists) == [#"> tools/call#w2 {"name":"t","arguments":{"x":1.0}} modern"#])
        let task = try played.says(
            #""id":"w2","result":{"resultType":"task","taskId":"T","status":"working","pollIntervalMs":1}"#)
        #expect(task.count == 1 && task[0].hasPrefix("wait 0.05"))
        let first = try #require(RPC.ID(try raw("\"w3\"")))
        #expect(PlayedServer.text(played.server.elapsed(.poll(first))) == [#"> tasks/get#w4 {"taskId":"T"} modern"#])
        let asks =
            #""id":"w4","result":{"taskId":"T","status":"input_required","inputRequests":{"k":{"method":"roots/list"}}}"#
        #expect(try played.says(asks) == [#"< roots/list#w6 {"_meta":{"wharf/call":"5"}}"#])
        let updated = try played.gateway(#""id":"w6","result":{"roots":[]}"#)
        #expect(updated.first == #"> tasks/update#w7 {"taskId":"T","inputResponses":{"k":{"roots":[]}}} modern"#)
        let second = try #require(RPC.ID(try raw("\"w8\"")))
        _ = played.server.elapsed(.poll(second))
        #expect(
            try played.says(
                #""id":"w9","result":{"taskId":"T","status":"completed","result":{"content":[ ],"resultType":"complete"}}"#
            )
                == [#"< =5 {"content":[ ]}"#])
    }

    @Test func oneSubscriptionStandsForAll() throws {
        var played = try PlayedServer(
            #"{"capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true}}}"#)
        #expect(
            try played.gateway(#""method":"notifications/initialized""#) == [
                #"> subscriptions/listen#w1 {"notifications":{"toolsListChanged":true}} modern"#
            ])
        let acknowledged =
            #""method":"notifications/subscriptions/acknowledged","params":{"notifications":{},"_meta":{"io.modelcontextprotocol/subscriptionId":"#
        #expect(try played.says(acknowledged + #""w1"}}"#) == [])
        #expect(
            try played.gateway(#""id":3,"method":"resources/subscribe","params":{"uri":"a:b"}"#) == [
                #"> subscriptions/listen#w2 {"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a:b"]}} modern"#,
                "x w1",
            ])
        #expect(try played.says(acknowledged + #""w1"}}"#) == [])
        #expect(try played.says(acknowledged + #""w2"}}"#) == ["< =3 {}"])
        #expect(try played.gateway(#""id":4,"method":"resources/subscribe","params":{"uri":"a:b"}"#) == ["< =4 {}"])
        #expect(
            try played.says(
                #""method":"notifications/resources/updated","params":{"uri":"a:b","_meta":{"io.modelcontextprotocol/subscriptionId":"w2"}}"#
            )
                == [#"< notifications/resources/updated {"uri":"a:b"}"#])
        #expect(
            try played.gateway(#""id":5,"method":"resources/unsubscribe","params":{"uri":"a:b"}"#).last == "< =5 {}")
        // The server ends it: another one, and word of what may have been missed.
        #expect(try played.says(#""id":"w3","result":{"resultType":"complete"}"#) == ["wait 1.0 seconds listen"])
        #expect(PlayedServer.text(played.server.elapsed(.listen)).count == 1)
        #expect(try played.says(acknowledged + #""w4"}}"#) == ["< notifications/tools/list_changed"])
    }

    @Test func tasksAreToldOfByTheSameSubscription() throws {
        var played = try PlayedServer()
        #expect(
            try played.gateway(#""id":3,"method":"tasks/subscribe","params":{"taskId":"t1"}"#) == [
                #"> subscriptions/listen#w1 {"notifications":{"taskIds":["t1"]}} modern"#
            ])
        #expect(
            try played.says(#""method":"notifications/subscriptions/acknowledged","params":{"notifications":{}}"#)
                == ["< =3 {}"])
        #expect(
            try played.says(
                #""method":"notifications/tasks","params":{"taskId":"t1","status":"working","_meta":{"io.modelcontextprotocol/subscriptionId":"w1"}}"#
            ) == [#"< notifications/tasks {"taskId":"t1","status":"working"}"#])
        #expect(
            try played.gateway(#""id":4,"method":"tasks/unsubscribe","params":{"taskId":"t1"}"#) == [
                "x w1", "< =4 {}",
            ])
    }

    @Test func aServerWithoutSubscriptionsIsLeftInPeace() throws {
        var played = try PlayedServer(#"{"capabilities":{"tools":{"listChanged":true}}}"#)
        _ = try played.gateway(#""method":"notifications/initialized""#)
        #expect(
            try played.says(#""id":"w1","error":{"code":-32601,"message":"no"}"#).allSatisfy { $0.hasPrefix("log") })
    }

    /// What a server says of the gateway's own calls counts for nothing.
    @Test(arguments: [(true, #"{"level":"info","_meta":{"wharf/call":"5"}}"#), (false, #"{"level":"info"}"#)])
    func logsBelongWhereTheTransportSaysSo(_ isRelated: Bool, _ expected: String) throws {
        var played = try PlayedServer()
        played.server = ModernServer(revision: .v20260728, discovery: RawJSON([:]), isRelated: isRelated)
        _ = try played.gateway(Self.call)
        let said = try played.says(
            #""method":"notifications/message","params":{"level":"info","_meta":{"wharf/call":"\"w1\""}}"#)
        #expect(said == ["< notifications/message \(expected)"])
    }

    @Test func aServerCannotAskByRequest() throws {
        var played = try PlayedServer()
        let said = try played.says(#""id":9,"method":"roots/list""#)
        #expect(said.first == "> !9 -32601" && said.last?.hasPrefix("log") == true)
    }
}
