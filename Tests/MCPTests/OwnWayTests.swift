import Core
import MCP
import NIOCore
import Testing

/// Requests of which each has a way of its own, as over HTTP.
@Suite(.timeLimit(.minutes(1))) struct OwnWayTests {
    /// Answers `fast` at once, `slow` when it is told to, and cannot send `lost`.
    private struct Ways: Transport {
        let incoming = AsyncStream.makeStream(of: ByteBuffer.self)
        let asked = Promise<Void>()
        let release = Promise<Void>()

        var sendsRequestsSideBySide: Bool { true }

        func connect<R: Sendable>(
            _ body: (AsyncStream<ByteBuffer>, @escaping SendMessage) async throws -> R
        ) async throws -> R {
            try await body(incoming.stream) { bytes, _ in
                guard case .request(let request) = try RPC.Message(parsing: bytes) else { return }
                switch request.method {
                case "lost": throw NotSent(reason: Failure(.unavailable, "nobody is there"))
                case "slow":
                    asked.fulfil(.success(()))
                    try await release.value
                default: break
                }
                let result = RawJSON(.string(request.method))
                let answer = RPC.Message.response(RPC.Response(id: request.id, outcome: .success(result)))
                incoming.continuation.yield(answer.bytes)
            }
        }
    }

    private struct Nothing: Peer.Handler {
        func admit(_ request: RPC.Request, from peer: Peer) throws(RPC.Error) -> Peer.Admission {
            throw .methodNotFound(request.method)
        }
        func receive(_ notification: RPC.Notification, from peer: Peer) async {}
    }

    @Test func oneThatTakesLongKeepsNoOther() async throws {
        let ways = Ways()
        try await Peer.run(over: ways, handler: Nothing()) { (peer) async throws in
            async let slow = peer.request("slow")
            try await ways.asked.value
            #expect(try await peer.request("fast").text == "\"fast\"")
            ways.release.fulfil(.success(()))
            let late = try await slow
            #expect(late.text == "\"slow\"")
        }
    }

    @Test func oneThatCannotBeSentFailsAlone() async throws {
        try await Peer.run(over: Ways(), handler: Nothing()) { (peer) async throws in
            let outcome = Promise<RawJSON>()
            peer.ask("lost") { outcome.fulfil($0) }
            await #expect(throws: NotSent.self) { try await outcome.value }
            #expect(try await peer.request("fast").text == "\"fast\"")
        }
    }
}
