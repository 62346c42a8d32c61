import AsyncAlgorithms
import AsyncHTTPClient
import Core
import MCP
import NIOCore
import NIOHTTP1
import Testing

@testable import MCPHTTP

/// Streamable HTTP as a client sees it.
@Suite(.timeLimit(.minutes(2))) struct StreamableTests {
    @Test func aSessionFromTheHandshakeToItsEnd() async throws {
        try await Bench.run { (bench) async throws in
            let opened = try await bench.post(Bench.initialize)
            #expect(opened.status == 200)
            #expect(opened.headers.first(name: "content-type") == "application/json")
            #expect(try opened.json["result"]?["protocolVersion"]?.string == "2025-06-18")
            let session = try #require(opened.session)
            #expect(session.count == 32)
            let answer = try await bench.call("echo", id: 7, #"{"a":[1, 2.0]}"#, session: session)
            #expect(answer.status == 200 && answer.session == nil)
            #expect(answer.text == #"{"jsonrpc":"2.0","id":7,"result":{"a":[1, 2.0]}}"#)
            let unknown = try await bench.call("nope", session: session)
            #expect(unknown.status == 200)
            #expect(try unknown.json["error"]?["code"]?.int == -32601)
            let deleted = try await bench.send(bench.request(.DELETE, session: session))
            #expect(deleted.status == 204)
            #expect(try await bench.call("echo", session: session).status == 404)
            #expect(try await bench.send(bench.request(.DELETE, session: session)).status == 404)
            await bench.served.waitUntilNone()
        }
    }

    @Test func whatComesBeforeAnAnswerMakesItAStream() async throws {
        try await Bench.run { (bench) async throws in
            let session = try await bench.session()
            let answer = try await bench.call("progress", #"{"_meta":{"progressToken":"t"}}"#, session: session)
            #expect(answer.headers.first(name: "content-type") == "text/event-stream")
            #expect(answer.headers.first(name: "x-accel-buffering") == "no")
            var parser = SSE.Parser()
            let events = try parser.append(answer.body).map { try JSON(parsing: $0.data) }
            #expect(events.compactMap { $0["params"]?["progress"]?.int } == [1, 2, 3])
            #expect(events.allSatisfy { $0["params"] == nil || $0["params"]?["progressToken"]?.string == "t" })
            #expect(events.last?["result"]?["done"] == true)
            #expect(events.count == 4)
        }
    }

    @Test func everyRequestGetsItsOwnProgress() async throws {
        try await Bench.run { (bench) async throws in
            let session = try await bench.session()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for id in 1...32 {
                    group.addTask {
                        let token = #"{"_meta":{"progressToken":\#(id)}}"#
                        let answer = try await bench.call("progress", id: id, token, session: session)
                        var parser = SSE.Parser()
                        let events = try parser.append(answer.body).map { try JSON(parsing: $0.data) }
                        #expect(events.count == 4)
                        #expect(events.dropLast().allSatisfy { $0["params"]?["progressToken"]?.int == id })
                        #expect(events.last?["id"]?.int == id)
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func theServerMayAskWhileItAnswers() async throws {
        try await Bench.run { (bench) async throws in
            let session = try await bench.session()
            let body = #"{"jsonrpc":"2.0","id":5,"method":"ask"}"#
            var events = Events(try await bench.open(bench.request(.POST, "/mcp", body, session: session)))
            let question = try #require(try await events.message())
            #expect(question["method"]?.string == "roots/list")
            let id = try #require(question["id"]).text
            let told = try await bench.post(#"{"jsonrpc":"2.0","id":\#(id),"result":{"roots":[]}}"#, session: session)
            #expect(told.status == 202)
            let answer = try await events.message()
            #expect(answer?["id"]?.int == 5)
            #expect(answer?["result"]?["answered"]?["roots"] == [])
            #expect(try await events.next() == nil)
        }
    }

    @Test func whatBelongsToNoRequestComesByTheGetStream() async throws {
        try await Bench.run { (bench) async throws in
            let session = try await bench.session()
            let poke = #"{"jsonrpc":"2.0","method":"notifications/poke","params":{"data":1}}"#
            #expect(try await bench.post(poke, session: session).status == 202)
            let stream = try await bench.open(bench.request(.GET, session: session))
            #expect(stream.status == .ok)
            #expect(stream.headers.first(name: "content-type") == "text/event-stream")
            var events = Events(stream)
            #expect(try await events.message()?["params"]?["data"]?.int == 1, "kept until there was a stream")
            let second = try await bench.send(bench.request(.GET, session: session))
            #expect(second.status == 409)
            _ = try await bench.post(poke.replacing("1}", with: "2}"), session: session)
            #expect(try await events.message()?["params"]?["data"]?.int == 2)
            _ = try await bench.send(bench.request(.DELETE, session: session))
            #expect(try await events.next() == nil, "the stream ends with the session")
        }
    }

    @Test func aGetStreamThatWasLeftCanBeOpenedAgain() async throws {
        try await Bench.run { (bench) async throws in
            let session = try await bench.session()
            /// Opens the stream and holds it until cancelled; tells the status as soon as it is there.
            func hold() -> (Task<Void, any Error>, Promise<HTTPResponseStatus>) {
                let opened = Promise<HTTPResponseStatus>()
                let task = Task {
                    let response = try await bench.open(bench.request(.GET, session: session))
                    opened.fulfil(.success(response.status))
                    if response.status == .ok { _ = try await response.body.collect(upTo: 1 << 20) }
                }
                return (task, opened)
            }
            let (first, opened) = hold()
            #expect(try await opened.value == .ok)
            #expect(try await bench.open(bench.request(.GET, session: session)).status == .conflict)
            first.cancel()
            _ = await first.result
            // The server notices the leaving a moment later.
            var status = HTTPResponseStatus.conflict
            for _ in 0..<500 where status == .conflict {
                let (next, opened) = hold()
                status = try await opened.value
                next.cancel()
                _ = await next.result
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(status == .ok)
        }
    }

    @Test func aCancelledRequestIsAnswered() async throws {
        let server = SlowServer()
        try await Bench.run(serve: { try await Peer.serve(over: $0, handler: server) }) { (bench) async throws in
            let session = try await bench.session()
            async let slow = bench.call("slow", id: 3, session: session)
            try await server.started.value
            let cancel = #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}"#
            #expect(try await bench.post(cancel, session: session).status == 202)
            let answer = try await slow
            #expect(try answer.json["error"]?["code"]?.int == -32800)
            #expect(server.finished.current == nil)
        }
    }

    @Test func leavingIsNotCancelling() async throws {
        let server = SlowServer()
        try await Bench.run(serve: { try await Peer.serve(over: $0, handler: server) }) { (bench) async throws in
            let session = try await bench.session()
            let leaver = Task { try await bench.call("slow", id: 1, session: session) }
            try await server.started.value
            leaver.cancel()
            _ = await leaver.result
            server.release.fulfil(.success(()))
            try await server.finished.value
            #expect(try await bench.call("quick", id: 2, session: session).status == 200)
        }
    }

    @Test func silentStreamsShowSignsOfLife() async throws {
        var limits = StreamableServer.Limits()
        limits.keepAlive = .milliseconds(5)
        try await Bench.run(limits: limits) { (bench) async throws in
            let session = try await bench.session()
            var get = Events(try await bench.open(bench.request(.GET, session: session)))
            try await get.wait(for: ": keep-alive\n\n")
            let body = #"{"jsonrpc":"2.0","id":5,"method":"hang"}"#
            var post = Events(try await bench.open(bench.request(.POST, "/mcp", body, session: session)))
            try await post.wait(for: ": keep-alive\n\n: keep-alive\n\n")
        }
    }

    @Test func anIdleSessionEnds() async throws {
        var limits = StreamableServer.Limits()
        limits.keepAlive = .milliseconds(5)
        limits.idle = .milliseconds(20)
        try await Bench.run(limits: limits) { (bench) async throws in
            let session = try #require(try await bench.post(Bench.initialize).session)
            await bench.served.waitUntilNone()
            #expect(try await bench.call("echo", session: session).status == 404)
        }
    }

    @Test func aServerThatEndsEndsItsSession() async throws {
        let failure = Failure(.unavailable, "demo-tools cannot start")
        try await Bench.run(serve: { session in
            try await session.connect { messages, _ in for try await _ in messages { break } }
            throw failure
        }) { (bench) async throws in
            let answer = try await bench.post(Bench.initialize)
            #expect(answer.status == 404 && answer.session == nil)
            #expect(answer.text.contains("demo-tools cannot start"))
            #expect(try answer.json["id"]?.string == "i")
        }
    }

    @Test func aHandshakeThatFailsLeavesNoSession() async throws {
        try await Bench.run { (bench) async throws in
            let answer = try await bench.post(#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#)
            #expect(answer.status == 400 && answer.session == nil)
            #expect(try answer.json["error"]?["code"]?.int == -32602)
            await bench.served.waitUntilNone()
        }
    }

    @Test func thereIsALimitToSessionsInUse() async throws {
        var limits = StreamableServer.Limits()
        limits.sessions = 2
        try await Bench.run(limits: limits) { (bench) async throws in
            let first = try await bench.session()
            let second = try await bench.session()
            let streams = [
                try await bench.open(bench.request(.GET, session: first)),
                try await bench.open(bench.request(.GET, session: second)),
            ]
            let third = try await bench.post(Bench.initialize)
            #expect(third.status == 503 && third.session == nil)
            #expect(third.headers.first(name: "retry-after") == "5")
            _ = try await bench.send(bench.request(.DELETE, session: first))
            while try await bench.post(Bench.initialize).status == 503 { await Task.yield() }
            withExtendedLifetime(streams) {}
        }
    }

    @Test func oneThatNobodyUsesMakesRoomForANewOne() async throws {
        var limits = StreamableServer.Limits()
        limits.sessions = 2
        try await Bench.run(limits: limits) { (bench) async throws in
            let sessions = [try await bench.session(), try await bench.session(), try await bench.session()]
            #expect(try await bench.call("echo", session: sessions[0]).status == 404)
            #expect(try await bench.call("echo", session: sessions[1]).status == 200)
            #expect(try await bench.call("echo", session: sessions[2]).status == 200)
        }
    }

    @Test func sessionsAreApart() async throws {
        try await Bench.run { (bench) async throws in
            let sessions = [try await bench.session(), try await bench.session()]
            #expect(sessions[0] != sessions[1])
            #expect(await bench.served.total == 2)
            async let a = bench.call("echo", id: 1, #"{"s":"a"}"#, session: sessions[0])
            async let b = bench.call("echo", id: 1, #"{"s":"b"}"#, session: sessions[1])
            #expect(try await a.json["result"]?["s"]?.string == "a")
            #expect(try await b.json["result"]?["s"]?.string == "b")
        }
    }

    @Test func theEndOfTheServerEndsItsStreams() async throws {
        let stream = Promise<HTTPClientResponse>()
        try await Bench.run { (bench) async throws in
            let session = try await bench.session()
            stream.fulfil(.success(try await bench.open(bench.request(.GET, session: session))))
        }
        await #expect(throws: (any Error).self) {
            var events = Events(try await stream.value)
            if try await events.next() == nil { throw CancellationError() }
        }
    }
}
