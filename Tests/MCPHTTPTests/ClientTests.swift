import Core
import MCP
import NIOCore
import OCI
import Synchronization
import Testing

@testable import MCPHTTP

/// The client's side of both transports, against our own server.
@Suite(.timeLimit(.minutes(2))) struct ClientTests {
    /// What a client hears, and what it answers.
    final class Ear: Peer.Handler {
        private let heard = Mutex<[RPC.Notification]>([])
        var all: [RPC.Notification] { heard.withLock { $0 } }

        func admit(_ request: RPC.Request, from peer: Peer) throws(RPC.Error) -> Peer.Admission {
            .answer(RawJSON(["roots": []]))
        }
        func respond(to request: RPC.Request, from peer: Peer) async throws -> RawJSON { RawJSON([:]) }
        func receive(_ notification: RPC.Notification, from peer: Peer) async {
            heard.withLock { $0.append(notification) }
        }
    }

    static func endpoint(_ bench: Bench, _ kind: RemoteEndpoint.Kind) throws -> RemoteEndpoint {
        try RemoteEndpoint(
            url: "http://127.0.0.1:\(bench.port)/\(kind == .events ? "sse" : "mcp")", kind: kind,
            headers: [("Authorization", "Bearer \(Bench.token)")], allowsPrivate: true)
    }

    static func greet(_ peer: Peer, _ version: String = "2025-11-25") async throws {
        let params = RawJSON([
            "protocolVersion": .string(version), "capabilities": [:], "clientInfo": ["name": "t", "version": "1"],
        ])
        let answer = try await peer.request("initialize", params)
        #expect(try answer["protocolVersion"]?.parsed().string == version)
        peer.notify("notifications/initialized")
    }

    static func connect<R: Sendable>(
        _ endpoint: RemoteEndpoint, _ ear: Ear = Ear(), _ body: @escaping @Sendable (Peer) async throws -> R
    ) async throws -> R {
        try await RemoteConnector(endpoint).connect(onProgress: { _ in }) { transport in
            try await Peer.run(over: transport, handler: ear, body: body)
        }
    }

    @Test(arguments: [RemoteEndpoint.Kind.streamable, .events, .automatic])
    func everythingGoesBothWays(kind: RemoteEndpoint.Kind) async throws {
        try await Bench.run { (bench) async throws in
            let ear = Ear()
            try await Self.connect(try Self.endpoint(bench, kind), ear) { peer in
                try await Self.greet(peer)
                #expect(try await peer.request("echo", RawJSON(["a": [1, 2]])).text == #"{"a":[1,2]}"#)
                let unknown = await #expect(throws: RPC.Error.self) { try await peer.request("nope") }
                #expect(unknown?.code == -32601)
                _ = try await peer.request("progress", RawJSON(["_meta": ["progressToken": "t"]]))
                #expect(ear.all.count == 3)
                #expect(try await peer.request("ask").parsed()["answered"]?["roots"] == [])
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<20 {
                        group.addTask {
                            let answer = try await peer.request("echo", RawJSON(["n": .int(number)]))
                            #expect(try answer.parsed()["n"]?.int == number)
                        }
                    }
                    try await group.waitForAll()
                }
                peer.notify("notifications/poke", RawJSON(["data": 7]))
                while ear.all.count < 4 { try await Task.sleep(for: .milliseconds(2)) }
                #expect(ear.all.last?.method == "notifications/message")
            }
            await bench.served.waitUntilNone()
        }
    }

    @Test(arguments: [RemoteEndpoint.Kind.streamable, .events])
    func whatIsTakenBackIsTakenBackThere(kind: RemoteEndpoint.Kind) async throws {
        try await Bench.run { (bench) async throws in
            try await Self.connect(try Self.endpoint(bench, kind)) { peer in
                try await Self.greet(peer)
                let call = Task { try await peer.request("hang") }
                try await Task.sleep(for: .milliseconds(100))
                call.cancel()
                let outcome = await call.result
                #expect(throws: (any Error).self) { try outcome.get() }
                #expect(try await peer.request("echo", RawJSON([:])).text == "{}")
            }
        }
    }

    /// Each has a connection of its own.
    @Test(arguments: [RemoteEndpoint.Kind.streamable, .events])
    func manyCallsThatTakeLongKeepNoOther(kind: RemoteEndpoint.Kind) async throws {
        try await Bench.run { (bench) async throws in
            try await Self.connect(try Self.endpoint(bench, kind)) { peer in
                try await Self.greet(peer)
                let calls = (0..<24).map { _ in Task { try await peer.request("hang") } }
                for number in 0..<8 {
                    #expect(try await peer.request("echo", RawJSON(["n": .int(number)])).text == #"{"n":\#(number)}"#)
                }
                for call in calls { call.cancel() }
                for call in calls { _ = await call.result }
            }
            await bench.served.waitUntilNone()
        }
    }

    @Test func theSessionIsGoneWithTheServersMemoryOfIt() async throws {
        var limits = StreamableServer.Limits()
        limits.sessions = 1
        try await Bench.run(limits: limits) { (bench) async throws in
            // No GET stream, which would keep the session in use.
            let failure = await #expect(throws: Failure.self) {
                try await Self.connect(try Self.endpoint(bench, .streamable)) { peer in
                    let params = RawJSON(["protocolVersion": "2025-11-25", "capabilities": [:], "clientInfo": [:]])
                    _ = try await peer.request("initialize", params)
                    while try await bench.post(Bench.initialize).status != 200 { await Task.yield() }
                    _ = try await peer.request("echo")
                }
            }
            #expect(failure?.code == .unavailable)
            #expect(failure?.cause is SessionLost)
        }
    }

    @Test(arguments: [RemoteEndpoint.Kind.streamable, .events])
    func aWrongTokenIsToldSo(kind: RemoteEndpoint.Kind) async throws {
        try await Bench.run { (bench) async throws in
            let good = try Self.endpoint(bench, kind)
            let endpoint = try RemoteEndpoint(
                url: good.address.description, kind: kind, headers: [("authorization", "Bearer wr0ng")],
                allowsPrivate: true)
            let failure = await #expect(throws: Failure.self) {
                try await Self.connect(endpoint) { peer in try await Self.greet(peer) }
            }
            #expect(failure?.code == .unauthorized)
            #expect(failure?.description.contains("wr0ng") == false)
        }
    }

    @Test func withoutTheGrantNobodyIsAsked() async throws {
        try await Bench.run { (bench) async throws in
            let endpoint = try RemoteEndpoint(url: "http://127.0.0.1:\(bench.port)/mcp", kind: .automatic)
            let failure = await #expect(throws: Failure.self) {
                try await Self.connect(endpoint) { peer in try await Self.greet(peer) }
            }
            #expect(failure?.code == .forbidden)
            #expect(await bench.served.total == 0)
        }
    }
}
