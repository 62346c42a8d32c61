import Core
import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import MCP

@Suite(.timeLimit(.minutes(5))) struct PeerTests {
    private static func makeServer() -> ToolServer {
        ToolServer(
            name: "test", version: "1",
            tools: [
                .init(Tool(name: "echo", description: "", inputSchema: ["type": "object"])) { arguments in
                    ToolResult(text: arguments["text"]?.string ?? "")
                },
                .init(Tool(name: "fail", description: "", inputSchema: ["type": "object"])) { _ in
                    throw Failure(.invalidArgument, "no such thing")
                },
            ])
    }

    /// A client over one end of a connection whose other end is served by a tool server.
    private func withClient<R: Sendable>(_ body: @escaping @Sendable (Client) async throws -> R) async throws -> R {
        let (near, far) = MemoryTransport.pair()
        async let served: Void = Peer.serve(over: far, handler: Self.makeServer())
        let result = try await Peer.run(over: near, handler: Silent()) { peer in
            try await body(Client(over: peer, name: "c", version: "1"))
        }
        try await served
        return result
    }

    @Test func aClientListsAndCalls() async throws {
        let (names, text) = try await withClient { client in
            let names = try await client.tools().map(\.name)
            let result = try await client.callTool(
                RawJSON(["name": "echo", "arguments": ["text": "hello"]]))
            return (names, ToolResult(result).text)
        }
        #expect(names == ["echo", "fail"])
        #expect(text == "hello")
    }

    @Test func aToolsFailureIsAResultAndAnUnknownToolAnError() async throws {
        let (failed, code) = try await withClient { client in
            let failed = ToolResult(try await client.callTool(RawJSON(["name": "fail"])))
            do {
                _ = try await client.callTool(RawJSON(["name": "none"]))
                return (failed, 0)
            } catch let error as RPC.Error { return (failed, error.code) }
        }
        #expect(failed.isError)
        #expect(failed.text == "no such thing")
        #expect(code == -32602)
    }

    /// An answer may be there before the task that asked goes on: it was lost then, once in tens of thousands.
    @Test func noAnswerIsTooQuick() async throws {
        let count = try await withClient { client in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        for _ in 0..<500 { _ = try await client.callTool(RawJSON(["name": "echo"])) }
                        return 500
                    }
                }
                return try await group.reduce(0, +)
            }
        }
        #expect(count == 4000)
    }

    @Test func manyRequestsAtOnceAreAnsweredEachByItsOwn() async throws {
        let texts = try await withClient { client in
            try await withThrowingTaskGroup(of: (Int, String).self) { group in
                for number in 0..<200 {
                    group.addTask {
                        let params = RawJSON(["name": "echo", "arguments": ["text": .string("\(number)")]])
                        return (number, ToolResult(try await client.callTool(params)).text)
                    }
                }
                return try await group.reduce(into: [Int: String]()) { $0[$1.0] = $1.1 }
            }
        }
        #expect(texts.count == 200)
        #expect(texts.allSatisfy { $0.value == "\($0.key)" })
    }

    @Test func requestsFailWhenTheOtherSideCloses() async throws {
        let (near, far) = MemoryTransport.pair()
        let failure = await #expect(throws: Failure.self) {
            try await Peer.run(over: near, handler: Silent()) { peer in
                async let answer = peer.request("never/answered")
                for await _ in far.received { break }
                far.finish()
                return try await answer
            }
        }
        #expect(failure?.code == .unavailable)
    }

    /// What the other side has certainly not seen can be asked of another one.
    @Test func whatHasNotLeftIsKnown() async throws {
        let (near, far) = MemoryTransport.pair()
        let outcomes = Outcomes()
        await #expect(throws: Failure.self) {
            try await Peer.run(over: near, handler: Silent()) { peer in
                for name in ["first", "second", "third"] {
                    peer.ask(name) { outcome in outcomes.add(name, outcome) }
                }
                // The writer has the first one in its hands: nobody knows about that.
                while !peer.isWriting { await Task.yield() }
                far.finish()
                try await Task.sleep(for: .seconds(60))
            }
        }
        #expect(outcomes.all == ["first": false, "second": true, "third": true])
    }

    private final class Outcomes: Sendable {
        private let found = Mutex<[String: Bool]>([:])
        var all: [String: Bool] { found.withLock { $0 } }

        func add(_ name: String, _ outcome: Result<RawJSON, any Error>) {
            guard case .failure(let error) = outcome else { return }
            found.withLock { $0[name] = error is NotSent }
        }
    }

    @Test func cancellingARequestTellsTheOtherSide() async throws {
        let (near, far) = MemoryTransport.pair()
        let seen = try await Peer.run(over: near, handler: Silent()) { peer in
            let task = Task { try await peer.request("slow/thing") }
            var seen: [String] = []
            for await message in far.received {
                seen.append(message)
                if seen.count == 1 { task.cancel() }
                if seen.count == 2 { break }
            }
            await #expect(throws: CancellationError.self) { try await task.value }
            return seen
        }
        #expect(
            seen == [
                #"{"jsonrpc":"2.0","id":1,"method":"slow/thing"}"#,
                #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
            ])
    }

    @Test func aCancelledRequestOfTheOtherSideGetsNoAnswer() async throws {
        let (near, far) = MemoryTransport.pair()
        let started = Promise<Void>()
        async let served: Void = Peer.serve(over: far, handler: Waiting(started: started))
        await near.send(#"{"jsonrpc":"2.0","id":"x","method":"wait"}"#)
        try await started.value
        await near.send(#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"x"}}"#)
        await near.send(#"{"jsonrpc":"2.0","id":"y","method":"quick"}"#)
        var answers: [String] = []
        for await answer in near.received {
            answers.append(answer)
            break
        }
        near.finish()
        try await served
        #expect(answers == [#"{"jsonrpc":"2.0","id":"y","result":{}}"#])
    }

    @Test(arguments: [
        ("{", "null", -32700), ("[]", "null", -32600),
        (#"{"jsonrpc":"2.0","id":9,"method":"tools/list"}"#, "9", -32600),
    ])
    func whatCannotBeServedIsAnswered(_ message: String, _ id: String, _ code: Int) async throws {
        let (near, far) = MemoryTransport.pair()
        async let served: Void = Peer.serve(over: far, handler: Self.makeServer())
        await near.send(message)
        for await answer in near.received {
            let json = try JSON(parsing: answer)
            #expect(json["id"]?.text == id)
            #expect(json["error"]?["code"]?.int == code)
            break
        }
        near.finish()
        try await served
    }
}

private struct Silent: Peer.Handler {
    func admit(_ request: RPC.Request, from peer: Peer) throws(RPC.Error) -> Peer.Admission {
        throw .methodNotFound(request.method)
    }
    func respond(to request: RPC.Request, from peer: Peer) async throws -> RawJSON { RawJSON([:]) }
    func receive(_ notification: RPC.Notification, from peer: Peer) async {}
}

private struct Waiting: Peer.Handler {
    let started: Promise<Void>

    func admit(_ request: RPC.Request, from peer: Peer) throws(RPC.Error) -> Peer.Admission {
        request.method == "quick" ? .answer(RawJSON([:])) : .respond
    }
    func respond(to request: RPC.Request, from peer: Peer) async throws -> RawJSON {
        started.fulfil(.success(()))
        await untilCancelled()
        throw CancellationError()
    }
    func receive(_ notification: RPC.Notification, from peer: Peer) async {}
}
