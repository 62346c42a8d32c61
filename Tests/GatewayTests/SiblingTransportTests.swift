import Core
import MCP
import NIOCore
import NIOPosix
import Testing

@testable import Gateway

@Suite struct SiblingTransportTests {
    /// A server beside the gateway that answers each line with the same, upper case.
    private func withServer<R: Sendable>(_ body: @escaping @Sendable (Int) async throws -> R) async throws -> R {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await server.executeThenClose { clients in
            try await withThrowingTaskGroup(of: R?.self) { group in
                group.addTask {
                    for try await client in clients {
                        try await client.executeThenClose { inbound, outbound in
                            for try await bytes in inbound {
                                try await outbound.write(ByteBuffer(string: String(buffer: bytes).uppercased()))
                            }
                        }
                    }
                    return nil
                }
                group.addTask { try await body(server.channel.localAddress?.port ?? 0) }
                defer { group.cancelAll() }
                while let result = try await group.next() { if let result { return result } }
                throw CancellationError()
            }
        }
    }

    @Test func messagesAreLinesBothWays() async throws {
        let answers = try await withServer { port in
            try await SiblingTransport(host: "127.0.0.1", port: port).connect { messages, send in
                try await send(ByteBuffer(string: "{\"a\":1}"), .none)
                try await send(ByteBuffer(string: "{\"b\":2}"), .none)
                var answers: [String] = []
                for try await message in messages {
                    answers.append(String(buffer: message))
                    if answers.count == 2 { break }
                }
                return answers
            }
        }
        #expect(answers == ["{\"A\":1}", "{\"B\":2}"])
    }

    @Test func whereNothingListensTheNameIsSaid() async throws {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(server.localAddress?.port)
        try await server.close()
        let failure = await #expect(throws: Failure.self) {
            try await SiblingTransport(host: "127.0.0.1", port: port).connect { _, _ in }
        }
        #expect(failure?.code == .unavailable)
        #expect(failure?.message.contains("127.0.0.1:\(port)") == true)
    }
}
