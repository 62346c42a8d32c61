import Core
import MCP
import NIOCore
import NIOPosix
import Synchronization
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

@Suite struct SharedServersTests {
    /// What one session was told.
    private final class Session: Sendable {
        let told = Mutex<[String]>([])

        func subscriber() -> SharedServers.Subscriber {
            .init(onTools: { self.told.withLock { $0.append("tools") } }) { notification in
                self.told.withLock { $0.append(notification.params?.text ?? "") }
            }
        }
    }

    /// Both sessions call their token 1; neither may hear of the other's progress.
    @Test func progressGoesToTheCallItBelongsTo() async throws {
        try await SharedServers.run(servers: [], settings: GatewaySettings(), engine: nil, onEvent: { _ in }) {
            shared in
            let sessions = [Session(), Session()]
            let numbers = sessions.map { shared.join($0.subscriber()) }
            let params = RawJSON(["name": "x", "_meta": ["progressToken": 1, "kept": true]])
            try await shared.withOwnToken(params, of: numbers[0]) { first in
                try await shared.withOwnToken(params, of: numbers[1]) { second in
                    #expect(try first["_meta"]?["kept"]?.parsed() == true)
                    let own = try #require(first["_meta"]?["progressToken"])
                    let other = try #require(second["_meta"]?["progressToken"])
                    #expect(own.text != other.text)
                    for (token, progress) in [(own, "0.5"), (other, "7")] {
                        let progress = try RawJSON(["progress": 0])
                            .replacing("progress", with: RawJSON(checking: ByteBuffer(string: progress)))
                        shared.pass(
                            .init(
                                method: "notifications/progress",
                                params: progress.replacing("progressToken", with: token)))
                    }
                    // Of nobody's call, and of nobody in particular.
                    shared.pass(
                        .init(method: "notifications/progress", params: RawJSON(["progressToken": "w99"])))
                    shared.pass(.init(method: "notifications/message", params: RawJSON(["data": "x"])))
                }
            }
            #expect(sessions[0].told.withLock { $0 } == [#"{"progress":0.5,"progressToken":1}"#])
            #expect(sessions[1].told.withLock { $0 } == [#"{"progress":7,"progressToken":1}"#])
        }
    }

    @Test func aCallThatIsOverOrWhoseSessionLeftHearsNothing() async throws {
        try await SharedServers.run(servers: [], settings: GatewaySettings(), engine: nil, onEvent: { _ in }) {
            shared in
            let session = Session()
            let number = shared.join(session.subscriber())
            let params = RawJSON(["_meta": ["progressToken": "t"]])
            let own = try await shared.withOwnToken(params, of: number) { try #require($0["_meta"]?["progressToken"]) }
            let progress = RPC.Notification(
                method: "notifications/progress", params: RawJSON([:]).replacing("progressToken", with: own))
            shared.pass(progress)
            try await shared.withOwnToken(params, of: number) { params in
                shared.leave(number)
                let own = try #require(params["_meta"]?["progressToken"])
                shared.pass(
                    .init(method: progress.method, params: RawJSON([:]).replacing("progressToken", with: own)))
            }
            #expect(session.told.withLock { $0 }.isEmpty)
        }
    }

    @Test(arguments: [#"{"name":"x"}"#, #"{"name":"x","_meta":{}}"#, #"{"_meta":{"progressToken":null}}"#])
    func whoAsksForNoProgressIsPassedAsItIs(_ text: String) async throws {
        try await SharedServers.run(servers: [], settings: GatewaySettings(), engine: nil, onEvent: { _ in }) {
            shared in
            let params = try RawJSON(checking: ByteBuffer(string: text))
            let passed = try await shared.withOwnToken(params, of: 1) { $0.text }
            #expect(passed == text)
        }
    }
}
