import Core
import MCP
import NIOCore
import SystemPackage
import TestSupport
import Testing

/// A server on pipes, as a client that starts a command has it.
@Suite(.timeLimit(.minutes(1))) struct StdioTests {
    private struct Answering: Peer.Handler {
        func admit(_ request: RPC.Request, from peer: Peer) throws(RPC.Error) -> Peer.Admission { .respond }
        func respond(to request: RPC.Request, from peer: Peer) async throws -> RawJSON { RawJSON([:]) }
        func receive(_ notification: RPC.Notification, from peer: Peer) async {}
    }

    /// Serves what comes from a pipe that is closed straight after; returns the answers' ids.
    private func answers(to text: String) async throws -> [String] {
        let (requests, toServer) = try FileDescriptor.pipe()
        let (fromServer, replies) = try FileDescriptor.pipe()
        defer {
            try? requests.close()
            try? fromServer.close()
        }
        try toServer.writeAll(text.utf8)
        try toServer.close()
        do {
            try await Peer.serve(
                over: StdioTransport(input: requests, output: replies), handler: Answering(), patience: .seconds(60))
        } catch {
            try? replies.close()
            throw error
        }
        try replies.close()
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while case let count = try chunk.withUnsafeMutableBytes({ try fromServer.read(into: $0) }), count > 0 {
            bytes += chunk.prefix(count)
        }
        return try bytes.split(separator: UInt8(ascii: "\n")).map { try JSON(parsing: Array($0))["id"]?.text ?? "" }
    }

    private func request(_ id: Int) -> String { #"{"jsonrpc":"2.0","id":\#(id),"method":"x"}"# }

    @Test func allThatWasAskedBeforeTheEndIsAnswered() async throws {
        for _ in 0..<20 {
            let ids = try await answers(to: (0..<200).map { request($0) + "\n" }.joined())
            #expect(Set(ids).count == 200)
        }
    }

    @Test(arguments: ["", "\r", " ", "\n\n"]) func theLastMessageNeedsNoNewline(_ end: String) async throws {
        #expect(Set(try await answers(to: request(1) + "\n" + request(2) + end)) == ["1", "2"])
    }
}

/// Messages of a stream that ends with an error.
private struct BreakingTransport: Transport {
    func connect<R: Sendable>(
        _ body: (AsyncThrowingStream<ByteBuffer, any Error>, @escaping SendMessage) async throws -> R
    ) async throws -> R {
        try await body(AsyncThrowingStream { throw Failure(.resourceExhausted, "a line is too long") }) { _, _ in }
    }
}

@Suite struct BoundsTests {
    @Test func aConnectionThatBreaksIsAFailureOfTheServer() async throws {
        let failure = await #expect(throws: Failure.self) {
            try await Peer.serve(over: BreakingTransport(), handler: ToolServer(name: "s", version: "1", tools: []))
        }
        #expect(failure?.description == "the connection broke: a line is too long")
    }

    @Test func anErrorsTextForPeopleIsBounded() {
        let error = RPC.Error(code: 1, message: String(repeating: "long ", count: 10_000))
        #expect(error.description.utf8.count < 1000)
        #expect(error.message.utf8.count == 50_000)
    }

    /// Pages of one tool of 1 KiB each that never end.
    private struct Lister: Peer.Handler {
        func admit(_ request: RPC.Request, from peer: Peer) throws(RPC.Error) -> Peer.Admission {
            if request.method == "initialize" {
                return .answer(RawJSON(["protocolVersion": .string(ProtocolVersion.latest.rawValue)]))
            }
            let tool: JSON = ["name": "t", "description": .string(String(repeating: "x", count: 1 << 10))]
            return .answer(RawJSON(["tools": [tool], "nextCursor": "more"]))
        }
        func respond(to request: RPC.Request, from peer: Peer) async throws -> RawJSON { RawJSON([:]) }
        func receive(_ notification: RPC.Notification, from peer: Peer) async {}
    }

    @Test(.timeLimit(.minutes(1))) func aListOfToolsIsBoundedInBytes() async throws {
        let (near, far) = MemoryTransport.pair()
        async let served: Void = Peer.serve(over: far, handler: Lister())
        let failure = await #expect(throws: Failure.self) {
            try await Peer.run(over: near, handler: Lister()) { peer in
                _ = try await Client(over: peer, name: "c", version: "1").tools(limit: 20 << 10)
            }
        }
        try await served
        #expect(failure?.message == "the server's list of tools is too long")
    }
}
