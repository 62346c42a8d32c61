import AsyncAlgorithms
import Bridge
import Core
import MCP
import NIOCore
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// What happens, in order.
private final class Noted<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])
    func add(_ element: Element) { elements.withLock { $0.append(element) } }
    var all: [Element] { elements.withLock { $0 } }
}

/// The shells, with real streams of messages in memory.
@Suite(.timeLimit(.minutes(5))) struct EraTransportTests {
    private static let initialize =
        #"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#
    private static let discovery =
        #"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"}}}"#

    /// Plays a server: answers what `answer` knows, by method.
    private func withServer(
        known: EraProbe.Verdict? = nil, answer: @escaping @Sendable (RPC.Request) -> String?,
        _ body:
            @escaping @Sendable (
                _ says: @escaping @Sendable (String) async throws -> Void,
                _ next: @escaping @Sendable () async throws -> String
            ) async throws -> Void
    ) async throws -> (verdicts: [EraProbe.Verdict], seen: [String]) {
        let (near, far) = MemoryTransport.pair()
        let verdicts = Noted<EraProbe.Verdict>()
        let seen = Noted<String>()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await line in far.received {
                    let message = try RPC.Message(parsing: ByteBuffer(string: line))
                    seen.add(short(message))
                    guard case .request(let request) = message, let text = answer(request) else { continue }
                    await far.send(#"{"jsonrpc":"2.0","id":\#(request.id.text),\#(text)}"#)
                }
            }
            let transport = EraTransport(near, known: known, log: { _ in }, onVerdict: { verdicts.add($0) })
            try await transport.connect { messages, send in
                var iterator = messages.makeAsyncIterator()
                try await send(ByteBuffer(string: Self.initialize), .none)
                let first = String(buffer: try #require(try await iterator.next()))
                seen.add("initialized: \(first)")
                let next: @Sendable () async throws -> String = {
                    var iterator = messages.makeAsyncIterator()
                    return String(buffer: try #require(try await iterator.next()))
                }
                try await body({ try await send(ByteBuffer(string: $0), .none) }, next)
            }
            group.cancelAll()
        }
        return (verdicts.all, seen.all)
    }

    @Test func aModernServerIsUsedAsOneOfTheHandshakeEra() async throws {
        let outcome = try await withServer { request in
            switch request.method {
            case "server/discover": #""result":\#(Self.discovery)"#
            case "tools/list": #""result":{"resultType":"complete","tools":[],"ttlMs":0,"cacheScope":"private"}"#
            default: nil
            }
        } _: { says, next in
            try await says(#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#)
            #expect(try await next() == #"{"jsonrpc":"2.0","id":2,"result":{"tools":[]}}"#)
            try await says(#"{"jsonrpc":"2.0","id":3,"method":"ping"}"#)
            #expect(try await next() == #"{"jsonrpc":"2.0","id":3,"result":{}}"#)
        }
        #expect(outcome.verdicts == [.modern(.v20260728)])
        #expect(outcome.seen.first == "server/discover#wharf-discover-1 modern")
        #expect(
            outcome.seen.contains {
                $0.hasPrefix("initialized:") && $0.contains(#""serverInfo":{"name":"s","version":"1"}"#)
            })
    }

    @Test(arguments: [nil, EraProbe.Verdict.handshake]) func aServerOfTheHandshakeEraGetsItsOwnMessages(
        _ known: EraProbe.Verdict?
    ) async throws {
        let outcome = try await withServer(known: known) { request in
            switch request.method {
            case "initialize":
                #""result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"o","version":"1"}}"#
            case "tools/call": #""result":{"content":[]}"#
            default: #""error":{"code":-32601,"message":"no"}"#
            }
        } _: { says, next in
            // What a modern client has put in is not the server's business.
            try await says(
                #"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"t","_meta":{\#(envelope)}}}"#)
            #expect(try await next() == #"{"jsonrpc":"2.0","id":2,"result":{"content":[]}}"#)
        }
        #expect(outcome.verdicts == [.handshake])
        #expect(outcome.seen.contains("server/discover#wharf-discover-1 modern") == (known == nil))
        #expect(outcome.seen.contains(#"tools/call#2 {"name":"t"}"#))
    }

    /// One that answers nothing it does not know is asked the other question after a moment, and is not waited for.
    @Test func silenceIsNoEra() async throws {
        let outcome = try await withServer { request in
            request.method == "initialize"
                ? #""result":{"protocolVersion":"2024-11-05","capabilities":{},"serverInfo":{"name":"o","version":"1"}}"#
                : nil
        } _: { _, _ in
        }
        #expect(outcome.verdicts == [.handshake])
    }

    // MARK: Servers whose answers come while the request is still being sent, as by HTTP

    private struct Rendezvous: Transport {
        private let incoming = AsyncThrowingChannel<ByteBuffer, any Error>()
        let answer: @Sendable (RPC.Request) async throws -> String?

        var sendsRequestsSideBySide: Bool { true }

        func connect<R: Sendable>(
            _ body: (AsyncThrowingChannel<ByteBuffer, any Error>, @escaping SendMessage) async throws -> R
        ) async throws -> R {
            try await body(incoming) { bytes, _ in
                guard case .request(let request) = try RPC.Message(parsing: bytes) else { return }
                guard let text = try await answer(request) else { return }
                await incoming.send(ByteBuffer(string: #"{"jsonrpc":"2.0","id":\#(request.id.text),\#(text)}"#))
            }
        }
    }

    private final class Deaf: Peer.Handler {
        func admit(_ request: RPC.Request, from peer: Peer) throws(RPC.Error) -> Peer.Admission { .respond }
        func receive(_ notification: RPC.Notification, from peer: Peer) async {}
    }

    private func handshake(
        with answer: @escaping @Sendable (RPC.Request) async throws -> String?
    ) async throws -> [EraProbe.Verdict] {
        let verdicts = Noted<EraProbe.Verdict>()
        let transport = EraTransport(
            Rendezvous(answer: answer), known: nil, log: { _ in }, onVerdict: { verdicts.add($0) })
        try await Peer.run(over: transport, handler: Deaf()) { peer in
            _ = try await Client(over: peer, name: "g", version: "1")
        }
        return verdicts.all
    }

    @Test func anAnswerThatComesWhileTheQuestionIsSentIsTaken() async throws {
        let verdicts = try await handshake { request in
            request.method == "initialize"
                ? #""result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"o","version":"1"}}"#
                : #""error":{"code":-32601,"message":"no"}"#
        }
        #expect(verdicts == [.handshake])
    }

    /// Whoever reaches a server wants to know why it cannot be reached, not that it answered something.
    @Test func whyAServerCannotBeAskedIsTold() async throws {
        let failure = await #expect(throws: Failure.self) {
            try await handshake { request in
                if request.method == "initialize" { throw Failure(.unauthorized, "it wants a key") }
                return #""error":{"code":-32000,"message":"no"}"#
            }
        }
        #expect(failure?.code == .unauthorized)
    }

    /// A slow one of the modern protocol only: asked the other question meanwhile, it refuses that in its own way.
    @Test func aRefusedHandshakeDoesNotSettleIt() async throws {
        let (near, far) = MemoryTransport.pair()
        let isRefused = Promise<Void>()
        async let played: Void = {
            for await line in far.received {
                guard case .request(let request) = try RPC.Message(parsing: ByteBuffer(string: line)) else { continue }
                try await isRefused.value
                await far.send(#"{"jsonrpc":"2.0","id":\#(request.id.text),"result":\#(Self.discovery)}"#)
            }
        }()
        let verdicts = Noted<EraProbe.Verdict>()
        let transport = EraTransport(
            Refusing(base: near, isRefused: isRefused), known: nil, log: { _ in }, onVerdict: { verdicts.add($0) })
        try await Peer.run(over: transport, handler: Deaf()) { peer in
            let client = try await Client(over: peer, name: "g", version: "1")
            #expect(client.server.name == "s")
        }
        #expect(verdicts.all == [.modern(.v20260728)])
        near.finish()
        try await played
    }

    private struct Refusing: Transport {
        let base: MemoryTransport
        let isRefused: Promise<Void>

        func connect<R: Sendable>(
            _ body: (MemoryTransport.Messages, @escaping SendMessage) async throws -> R
        ) async throws -> R {
            try await base.connect { messages, send in
                try await body(messages) { bytes, relation in
                    if case .request(let request) = try RPC.Message(parsing: bytes), request.method == "initialize" {
                        defer { isRefused.fulfil(.success(())) }
                        throw Failure(.invalidArgument, "400 Bad Request")
                    }
                    try await send(bytes, relation)
                }
            }
        }
    }

    // MARK: Clients

    /// A gateway with one tool that asks for a color.
    private final class Asking: Peer.Handler {
        private let lifecycle = Mutex(
            ServerLifecycle(.init(name: "g", version: "1", capabilities: ["tools": ["listChanged": true]])))

        func admit(_ request: RPC.Request, from peer: Peer) throws(RPC.Error) -> Peer.Admission {
            let answer = try lifecycle.withLock { lifecycle throws(RPC.Error) in try lifecycle.step(request) }
            return answer.map { .answer($0) } ?? .respond
        }

        func respond(to request: RPC.Request, from peer: Peer) async throws -> RawJSON {
            guard request.method == "tools/call" else { throw RPC.Error.methodNotFound(request.method) }
            let answer = try await peer.request(
                "elicitation/create", RawJSON(["message": "Which color?"]), relatedTo: request.id)
            return RawJSON(object: [("content", RawJSON(array: [answer]))])
        }

        func receive(_ notification: RPC.Notification, from peer: Peer) async {}
    }

    private func serve(
        _ body:
            @escaping @Sendable (
                _ says: @escaping @Sendable (String) async throws -> Void,
                _ next: @escaping @Sendable () async throws -> JSON
            ) async throws -> Void
    ) async throws -> [Era] {
        let (toGateway, toClient) = (try FileDescriptor.pipe(), try FileDescriptor.pipe())
        defer { for end in [toGateway.readEnd, toClient.readEnd, toClient.writeEnd] { try? end.close() } }
        let eras = Noted<Era>()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                let pipe = StdioTransport(input: toGateway.readEnd, output: toClient.writeEnd)
                let transport = ClientEraTransport(
                    pipe, log: { _ in }, onEra: { eras.add($0) })
                try await Peer.serve(over: transport, handler: Asking())
            }
            let client = StdioTransport(input: toClient.readEnd, output: toGateway.writeEnd)
            try await client.connect { messages, send in
                let received = AsyncChannel<ByteBuffer>()
                try await withThrowingTaskGroup(of: Void.self) { readers in
                    readers.addTask { for try await line in messages { await received.send(line) } }
                    try await body({ try await send(ByteBuffer(string: $0), .none) }) {
                        var iterator = received.makeAsyncIterator()
                        return try JSON(parsing: try #require(await iterator.next()))
                    }
                    readers.cancelAll()
                }
            }
            try toGateway.writeEnd.close()
            try await group.waitForAll()
        }
        return eras.all
    }

    @Test func aModernClientIsAskedByItsOwnProtocol() async throws {
        let meta =
            #""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}"#
        let eras = try await serve { says, next in
            try await says(#"{"jsonrpc":"2.0","method":"notifications/stray"}"#)
            try await says(#"{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{\#(meta)}}"#)
            #expect(try await next()["result"]?["supportedVersions"] == ["2026-07-28"])
            try await says(#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"t",\#(meta)}}"#)
            let asked = try await next()
            #expect(asked["id"] == "a" && asked["result"]?["resultType"] == "input_required")
            let state = try #require(asked["result"]?["requestState"]?.string)
            try await says(
                #"{"jsonrpc":"2.0","id":"b","method":"tools/call","params":{"name":"t","inputResponses":{"q0_1":{"action":"accept"}},"requestState":"\#(state)",\#(meta)}}"#
            )
            let answer = try await next()
            #expect(answer["id"] == "b" && answer["result"]?["content"] == [["action": "accept"]])
            // The pipe is taken: a handshake comes too late.
            try await says(Self.initialize)
            #expect(try await next()["error"]?["code"]?.int == -32022)
            try await says(#"{"jsonrpc":"2.0","id":9,"method":"tools/list"}"#)
            #expect(try await next()["error"]?["code"]?.int == -32602)
            try await says("nonsense")
            #expect(try await next()["error"]?["code"]?.int == -32700)
        }
        #expect(eras == [.modern])
    }

    @Test func aClientOfTheHandshakeEraIsServedAsItIs() async throws {
        let eras = try await serve { says, next in
            try await says(Self.initialize)
            #expect(try await next()["result"]?["protocolVersion"] == "2025-11-25")
            try await says(#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"t"}}"#)
            let asked = try await next()
            #expect(asked["method"] == "elicitation/create")
            try await says(#"{"jsonrpc":"2.0","id":\#(asked["id"]?.text ?? ""),"result":{"action":"decline"}}"#)
            #expect(try await next()["result"]?["content"] == [["action": "decline"]])
        }
        #expect(eras == [.handshake])
    }
}
