import Core
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import Inference

@Suite(.timeLimit(.minutes(2))) struct EngineExchangeTests {
    private static let loop = MultiThreadedEventLoopGroup.singleton.any()
    private static let head = HTTPRequestHead(
        version: .http1_1, method: .POST, uri: "/v1/x", headers: ["host": "localhost", "content-length": "2"])

    private static func begin(port: Int) async throws -> (EngineExchange, HTTPResponseHead) {
        try await EngineExchange.begin(head, body: ByteBuffer(string: "{}"), to: .loopback(port: port), on: loop)
    }

    @Test(arguments: [
        "HTTP/1.1 201 Made\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 201 Made\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        "HTTP/1.1 201 Made\r\nconnection: close\r\n\r\nhello",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made\r\ncontent-length: 5\r\n\r\nhello",
    ])
    func bodiesOfEveryKind(bytes: String) async throws {
        try await ScriptedServer.run({ _ in .raw(bytes) }) { server in
            let (exchange, head) = try await Self.begin(port: server.port)
            #expect(head.status.code == 201)
            #expect(try await exchange.collect(upTo: 5) == ByteBuffer(string: "hello"))
            #expect(server.requests.map(\.body) == [ByteBuffer(string: "{}")])
        }
    }

    @Test(arguments: [
        "", "HTTP/1.1 200", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
    ])
    func brokenAnswersAreErrors(bytes: String) async throws {
        try await ScriptedServer.run({ _ in .raw(bytes) }) { server in
            _ = await #expect(throws: Failure.self) {
                let (exchange, _) = try await Self.begin(port: server.port)
                _ = try await exchange.collect(upTo: 100)
            }
        }
    }

    /// A kept connection may be closed by the time it is used: the request is sent again, on a new one.
    @Test func aClosedConnectionIsNoError() async throws {
        let count = Atomic(0)
        try await ScriptedServer.run({ _ in
            // Every second answer says that the connection stays, and then it does not.
            count.wrappingAdd(1, ordering: .relaxed).newValue % 2 == 1
                ? .raw("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello") : .http(200, [], "hello")
        }) { server in
            for _ in 0..<20 {
                let (exchange, _) = try await Self.begin(port: server.port)
                #expect(try await exchange.collect(upTo: 5) == ByteBuffer(string: "hello"))
            }
        }
    }

    @Test func aBodyOverTheLimitIsRefused() async throws {
        try await ScriptedServer.run({ _ in .http(200, [], "hello") }) { server in
            let (exchange, _) = try await Self.begin(port: server.port)
            _ = await #expect(throws: NIOTooManyBytesError.self) { _ = try await exchange.collect(upTo: 4) }
        }
    }

    @Test func nobodyListens() async throws {
        // One that has been somebody's, and is nobody's any more.
        let port = try await ScriptedServer.run({ _ in .close }) { $0.port }
        await #expect(throws: Failure.self) { _ = try await Self.begin(port: port) }
    }

    @Test func cancellingClosesTheConnection() async throws {
        try await Self.withPeer { peer in
            let task = Task { try await Self.begin(port: peer.port) }
            try await peer.asked.value
            task.cancel()
            await #expect(throws: CancellationError.self) { _ = try await task.value }
            try await peer.closed.value
        }
    }

    @Test func droppingAnAnswerClosesTheConnection() async throws {
        try await Self.withPeer(says: "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n") { peer in
            _ = try await Self.begin(port: peer.port)
            try await peer.closed.value
        }
    }

    /// An engine that goes on and on is not read from while nobody takes what it says.
    @Test func whatNobodyTakesIsNotRead() async throws {
        let size = 4 << 20
        let bytes = "HTTP/1.1 200 OK\r\ncontent-length: \(size)\r\n\r\n" + String(repeating: "x", count: size)
        try await Self.withPeer(says: bytes) { peer in
            let (exchange, _) = try await Self.begin(port: peer.port)
            let consumer = NIOLoopBoundBox.makeBoxSendingValue(Picky(), eventLoop: Self.loop)
            async let end: Void = exchange.forward { consumer.value }
            // As many rounds of the loop as could have brought much more.
            for _ in 0..<200 { try await Self.loop.submit {}.get() }
            #expect(try await Self.loop.submit { consumer.value.bytes }.get() <= 256 << 10)
            try await Self.loop.submit { consumer.value.isReady = true }.get()
            exchange.resume()
            try await end
            #expect(try await Self.loop.submit { consumer.value.bytes }.get() == size)
        }
    }

    /// Takes nothing more until it is told to.
    private final class Picky: EngineConsumer {
        var isReady = false
        var bytes = 0
        func take(_ part: ByteBuffer) { bytes += part.readableBytes }
        func flush() {}
        func end() {}
    }

    @Test func aConnectionIsUsedAgain() async throws {
        let bytes = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
        try await Self.withPeer(says: bytes, times: .max) { peer in
            for _ in 0..<50 {
                let (exchange, _) = try await Self.begin(port: peer.port)
                #expect(try await exchange.collect(upTo: 5) == ByteBuffer(string: "hello"))
            }
            // A pause may have been too long for one or the other, never for all.
            #expect(peer.connections.count.load(ordering: .relaxed) < 50)
        }
    }

    /// A server that says these bytes to whoever asks, and then keeps the connection.
    private struct Peer: Sendable {
        let port: Int
        let asked: Promise<Void>
        let closed: Promise<Void>
        let connections: Connections
    }

    private final class Connections: Sendable {
        let count = Atomic(0)
    }

    private static func withPeer(
        says bytes: String = "", times: Int = 1, _ body: (Peer) async throws -> Void
    ) async throws {
        let (asked, closed) = (Promise<Void>(), Promise<Void>())
        let connections = Connections()
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { child in
                connections.count.add(1, ordering: .relaxed)
                child.closeFuture.whenComplete { _ in closed.fulfil(.success(())) }
                return child.eventLoop.makeCompletedFuture {
                    try child.pipeline.syncOperations.addHandler(PeerHandler(bytes, times, asked))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let result = await Result {
            try await body(
                Peer(port: channel.localAddress?.port ?? 0, asked: asked, closed: closed, connections: connections))
        }
        try await channel.close()
        try result.get()
    }

    private final class PeerHandler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let bytes: String
        private var times: Int
        private let asked: Promise<Void>

        init(_ bytes: String, _ times: Int, _ asked: Promise<Void>) {
            (self.bytes, self.times, self.asked) = (bytes, times, asked)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            asked.fulfil(.success(()))
            guard times > 0 else { return }
            times -= 1
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: bytes)), promise: nil)
        }
    }
}
