import AsyncHTTPClient
import Core
import MCP
import NIOCore
import NIOHTTP1
import Testing

@testable import MCPHTTP

/// Streams that break and go on, batches, and who a session belongs to.
@Suite(.timeLimit(.minutes(2))) struct ResumptionTests {
    /// Tells the one who asked as often as it is released, and then answers.
    private struct Teller: Peer.Handler {
        let steps: AsyncStream<Int>

        func admit(_ request: RPC.Request, from peer: Peer) throws(RPC.Error) -> Peer.Admission {
            request.method == "initialize" ? try TestServer().admit(request, from: peer) : .respond
        }

        func respond(to request: RPC.Request, from peer: Peer) async throws -> RawJSON {
            for await step in steps {
                peer.notify("notifications/message", RawJSON(["data": .int(step)]), relatedTo: request.id)
            }
            return RawJSON(["done": true])
        }

        func receive(_ notification: RPC.Notification, from peer: Peer) async {}
    }

    private func withTeller(
        _ body: @escaping @Sendable (Bench, AsyncStream<Int>.Continuation) async throws -> Void
    ) async throws {
        let (steps, step) = AsyncStream.makeStream(of: Int.self)
        try await Bench.run(serve: { try await Peer.serve(over: $0, handler: Teller(steps: steps)) }) {
            (bench) async throws in
            try await body(bench, step)
        }
    }

    @Test(arguments: ["2025-11-25", "2025-06-18"]) func aPOSTWhoseConnectionBreaksGoesOn(version: String) async throws {
        try await withTeller { (bench, step) async throws in
            let session = try await bench.session(version)
            let seen = Promise<[SSE.Event]>()
            let client = Task {
                let body = Bench.call("tell", 1)
                var events = Events(try await bench.open(bench.request(.POST, "/mcp", body, session: session)))
                var all: [SSE.Event] = []
                while all.count < (version == "2025-11-25" ? 2 : 1), let event = try await events.next() {
                    all.append(event)
                }
                seen.fulfil(.success(all))
                _ = try await events.next()
            }
            step.yield(1)
            var events = try await seen.value
            if version == "2025-11-25" {
                let opening = events.removeFirst()
                #expect(opening.data == "" && opening.id?.hasSuffix("-0") == true)
            }
            #expect(try JSON(parsing: events[0].data)["params"]?["data"]?.int == 1)
            client.cancel()
            _ = await client.result
            step.yield(2)
            let last = try #require(events[0].id)
            let back = ["last-event-id": last]
            var rest = Events(try await bench.open(bench.request(.GET, session: session, with: back)))
            if version == "2025-11-25" { #expect(try await rest.next()?.id == last) }
            #expect(try await rest.message()?["params"]?["data"]?.int == 2)
            step.yield(3)
            #expect(try await rest.message()?["params"]?["data"]?.int == 3)
            step.finish()
            #expect(try await rest.message()?["result"]?["done"] == true)
            #expect(try await rest.next() == nil, "an answer ends its stream, also after a resumption")
            var again = Events(
                try await bench.open(bench.request(.GET, session: session, with: ["last-event-id": last])))
            if version == "2025-11-25" { _ = try await again.next() }
            var texts: [Int?] = []
            while let event = try await again.message() { texts.append(event["params"]?["data"]?.int) }
            #expect(texts == [2, 3, nil], "what followed on that stream, and nothing else")
        }
    }

    @Test func aSlowAnswerIsAStreamThatBeginsWithItsPosition() async throws {
        try await withTeller { (bench, step) async throws in
            let session = try await bench.session("2025-11-25")
            let body = Bench.call("tell", 1)
            let response = try await bench.open(bench.request(.POST, "/mcp", body, session: session))
            #expect(response.headers.first(name: "content-type") == "text/event-stream")
            var events = Events(response)
            let opening = try #require(try await events.next())
            #expect(opening.data == "" && opening.id != nil)
            #expect(events.text.contains("retry: 1000\n"))
            step.finish()
            #expect(try await events.message()?["result"]?["done"] == true)
        }
    }

    @Test func theStandaloneStreamGoesOnToo() async throws {
        try await Bench.run { (bench) async throws in
            let session = try await bench.session("2025-11-25")
            func poke(_ number: Int) async throws {
                let body = #"{"jsonrpc":"2.0","method":"notifications/poke","params":{"data":\#(number)}}"#
                #expect(try await bench.post(body, session: session).status == 202)
            }
            var first = Events(try await bench.open(bench.request(.GET, session: session)))
            let opening = try #require(try await first.next())
            #expect(opening.data == "" && opening.id == "0-0")
            try await poke(1)
            let event = try #require(try await first.next())
            let back = ["last-event-id": try #require(event.id)]
            // The old connection may still be there; whoever knows what it said has taken over.
            var second = Events(try await bench.open(bench.request(.GET, session: session, with: back)))
            try await poke(2)
            _ = try await second.next()
            #expect(try await second.message()?["params"]?["data"]?.int == 2)
            #expect(try await first.next() == nil)
        }
    }

    @Test(arguments: ["0-99", "7-0", "x", ""]) func whatIsNotKeptIsRefused(id: String) async throws {
        try await Bench.run { (bench) async throws in
            let session = try await bench.session()
            let answer = try await bench.send(bench.request(.GET, session: session, with: ["last-event-id": id + " "]))
            #expect(answer.status == 400)
        }
    }

    @Test func batchesBelongToOneRevision() async throws {
        try await Bench.run { (bench) async throws in
            let batch = "[\(Bench.call("echo", 1, #"{"a":1}"#)),\(Bench.call("echo", 2, #"{"a":2}"#))]"
            let session = try await bench.session("2025-03-26")
            let answer = try await bench.post(batch, session: session)
            #expect(answer.status == 200 && answer.headers.first(name: "content-type") == "text/event-stream")
            var parser = SSE.Parser()
            let answers = try parser.append(answer.body).map { try JSON(parsing: $0.data) }
            #expect(Set(answers.compactMap { $0["result"]?["a"]?.int }) == [1, 2])
            let notes = #"[{"jsonrpc":"2.0","method":"notifications/x"},{"jsonrpc":"2.0","id":9,"result":{}}]"#
            #expect(try await bench.post(notes, session: session).status == 202)
            for body in ["[\(Bench.initialize)]", "[1]", "[]", "[\(Bench.call("echo", 1)),\(Bench.call("echo", 1))]"] {
                let answer = try await bench.post(body, session: session)
                #expect(answer.status == 400)
                #expect(try answer.json["error"]?["code"]?.int == -32600)
            }
            for version in ["2024-11-05", "2025-06-18", "2025-11-25"] {
                let answer = try await bench.post(batch, session: try await bench.session(version))
                #expect(answer.status == 400)
                #expect(try answer.json["error"]?["code"]?.int == -32600)
            }
        }
    }

    @Test func aSessionIsItsOwners() async throws {
        let tokens = try ["alice", "bob"].map {
            Token(digest: try BearerToken("token-of-\($0)").digest, principal: Principal(name: $0))
        }
        let names = Names()
        try await Bench.run(
            authorization: .tokens(tokens), servers: ["git"],
            serve: { session in
                await names.add("\(session.principal.name) \(session.scope)")
                try await Peer.serve(over: session, handler: TestServer())
            }
        ) { (bench) async throws in
            let alice = ["authorization": "Bearer token-of-alice"]
            let bob = ["authorization": "Bearer token-of-bob"]
            let session = try await bench.session(with: alice)
            #expect(try await bench.call("echo", session: session, with: alice).status == 200)
            #expect(try await bench.call("echo", session: session, with: bob).status == 404)
            for method in [HTTPMethod.GET, .DELETE] {
                #expect(try await bench.send(bench.request(method, session: session, with: bob)).status == 404)
            }
            #expect(try await bench.call("echo", session: session, with: alice).status == 200)
            let single = try await bench.send(
                bench.request(.POST, "/servers/git/mcp", Bench.initialize, with: alice))
            let id = try #require(single.session)
            let elsewhere = try await bench.call("echo", session: id, with: alice)
            #expect(elsewhere.status == 404, "a session belongs to its address")
            let there = bench.request(.POST, "/servers/git/mcp", Bench.call("echo", 1), session: id, with: alice)
            #expect(try await bench.send(there).status == 200)
            #expect(await names.all == ["alice all", "alice server(\"git\")"])
        }
    }

    private actor Names {
        private(set) var all: [String] = []
        func add(_ name: String) { all.append(name) }
    }

    @Test func whoSendsTooMuchWaits() async throws {
        let principal = Principal(name: "alice", rate: Rate("3/h"))
        let token = Token(digest: try BearerToken(Bench.token).digest, principal: principal)
        try await Bench.run(authorization: .tokens([token])) { (bench) async throws in
            let session = try await bench.session()
            #expect(try await bench.call("echo", session: session).status == 200)
            let answer = try await bench.call("echo", session: session)
            #expect(answer.status == 429)
            #expect(
                answer.headers.first(name: "retry-after").flatMap { Int($0) }.map { (1100...1200).contains($0) } == true
            )
            #expect(try answer.json["error"]?["code"]?.int == -32000)
        }
    }

    @Test func aClientOfTheSSETransportHasItsServersToo() async throws {
        try await Bench.run(servers: ["git"]) { (bench) async throws in
            let request = bench.request(.GET, "/servers/git/sse", with: ["accept": "text/event-stream"])
            var events = Events(try await bench.open(request))
            let address = try #require(try await events.next()).data
            #expect(address.hasPrefix("/servers/git/message?sessionId="))
            #expect(try await bench.send(bench.request(.POST, address, Bench.initialize)).status == 202)
            #expect(try await events.message()?["id"]?.string == "i")
        }
    }
}
