import Bridge
import Core
import MCP
import NIOCore
import Synchronization
import Testing

@testable import MCPHTTP

/// A modern server by HTTP, as the gateway uses it: as if it were one of the handshake era.
@Suite(.timeLimit(.minutes(2))) struct ModernClientTests {
    /// What servers ask and tell.
    private final class Ear: Peer.Handler {
        private let heard = Mutex<[String]>([])
        let changed = Promise<Void>()
        var all: [String] { heard.withLock { $0 } }

        func admit(_ request: RPC.Request, from peer: Peer) throws(RPC.Error) -> Peer.Admission {
            heard.withLock { $0.append(request.method) }
            return .answer(RawJSON(["action": "accept"]))
        }

        func receive(_ notification: RPC.Notification, from peer: Peer) async {
            heard.withLock { $0.append(notification.method) }
            if notification.method == "notifications/tools/list_changed" { changed.fulfil(.success(())) }
        }
    }

    private final class Verdicts: Sendable {
        private let found = Mutex<[EraProbe.Verdict]>([])
        func note(_ verdict: EraProbe.Verdict) { found.withLock { $0.append(verdict) } }
        var all: [EraProbe.Verdict] { found.withLock { $0 } }
    }

    private func connect(
        _ bench: Bench, _ ear: Ear, _ body: @escaping @Sendable (Peer) async throws -> Void
    ) async throws -> [EraProbe.Verdict] {
        let verdicts = Verdicts()
        let connector = RemoteConnector(try ClientTests.endpoint(bench, .streamable))
        try await connector.connect(onProgress: { _ in }) { transport in
            // Known from before: it is asked for nothing else, however long a busy machine takes to answer.
            let bridged = EraTransport(
                transport, known: .modern(.v20260728), log: { _ in }, onVerdict: { verdicts.note($0) })
            try await Peer.run(over: bridged, handler: ear) { peer in
                let params = RawJSON([
                    "protocolVersion": "2025-11-25", "capabilities": ["elicitation": [:]],
                    "clientInfo": ["name": "t", "version": "1"],
                ])
                let answer = try await peer.request("initialize", params)
                #expect(answer["serverInfo"]?["name"]?.string == "g")
                _ = peer.notify("notifications/initialized")
                try await body(peer)
            }
        }
        return verdicts.all
    }

    private static func call(_ name: String, _ arguments: JSON = [:]) -> RawJSON {
        RawJSON(["name": .string(name), "arguments": arguments])
    }

    @Test func everythingOfAModernServerIsHad() async throws {
        let tools = ModernTests.Tools()
        try await Bench.run(serve: { try await Peer.serve(over: $0, handler: tools) }) { (bench) async throws in
            let ear = Ear()
            let verdicts = try await connect(bench, ear) { peer in
                // The argument that the list wants in a header goes there too.
                #expect(try await peer.request("tools/list")["tools"]?.isArray == true)
                let echoed = try await peer.request("tools/call", Self.call("echo", ["region": "é"]))
                #expect(echoed.text == #"{"content":[{"region":"é"}]}"#)
                let asked = try await peer.request("tools/call", Self.call("ask"))
                #expect(asked.text == #"{"content":[{"action":"accept"}]}"#)
                _ = try await peer.request("logging/setLevel", RawJSON(["level": "info"]))
                _ = try await peer.request("tools/call", Self.call("work"))
                let missing = await #expect(throws: RPC.Error.self) {
                    try await peer.request("resources/read", RawJSON(["uri": "a:b"]))
                }
                #expect(missing?.code == -32002)
                _ = try await peer.request("resources/subscribe", RawJSON(["uri": "a:b"]))
                _ = try await peer.request("tools/call", Self.call("change"))
                try await ear.changed.value
            }
            #expect(verdicts == [.modern(.v20260728)])
            #expect(ear.all.contains("elicitation/create") && ear.all.contains("notifications/message"))
        }
    }

    @Test func aCallThatIsTakenBackEndsThere() async throws {
        let tools = ModernTests.Tools()
        try await Bench.run(serve: { try await Peer.serve(over: $0, handler: tools) }) { (bench) async throws in
            _ = try await connect(bench, Ear()) { peer in
                let call = Task { try await peer.request("tools/call", Self.call("hang")) }
                try await tools.hung.value
                call.cancel()
                try await tools.cancelled.value
            }
        }
    }
}
