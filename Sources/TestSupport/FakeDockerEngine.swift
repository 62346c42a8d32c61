internal import Core
package import NIOCore
internal import NIOPosix
internal import Synchronization
package import SystemPackage

/// A Docker Engine on a socket of its own that answers whatever a test tells it to. Bytes, not an HTTP server: a test
/// decides where an answer is cut, and what a connection is after its upgrade.
package final class FakeDockerEngine: Sendable {
    package struct Request: Sendable {
        package let method: String
        /// The path with its query, as it was sent.
        package let target: String
        /// Names in lower case.
        package let headers: [String: String]
        package let body: ByteBuffer
    }

    /// One connection, behind its request. It is closed when the answer's closure returns.
    package struct Connection {
        fileprivate var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
        fileprivate let channel: any Channel
        fileprivate var pending = ByteBuffer()

        /// Returns when the socket has the bytes: closing a connection drops those it has not.
        package func write(_ bytes: ByteBuffer) async throws { try await channel.writeAndFlush(bytes).get() }

        package func write(_ text: String) async throws { try await write(ByteBuffer(string: text)) }

        /// A whole answer, after which the connection ends.
        package func answer(_ status: Int, _ body: String = "", headers: [String] = []) async throws {
            let head = ["HTTP/1.1 \(status) X", "Connection: close", "Content-Length: \(body.utf8.count)"] + headers
            try await write(head.joined(separator: "\r\n") + "\r\n\r\n" + body)
        }

        /// What came next; nil when the client has closed its side.
        package mutating func read() async throws -> ByteBuffer? {
            if pending.readableBytes > 0 {
                defer { pending = ByteBuffer() }
                return pending
            }
            return try await inbound.next()
        }

        fileprivate mutating func request() async throws -> Request? {
            while true {
                let text = String(buffer: pending)
                if let end = text.firstRange(of: "\r\n\r\n") {
                    let lines = text[..<end.lowerBound].split(separator: "\r\n")
                    let words = lines.first?.split(separator: " ") ?? []
                    guard words.count == 3 else { return nil }
                    let headers = lines.dropFirst().map { line -> (String, String) in
                        let parts = line.split(separator: ":", maxSplits: 1)
                        return (parts[0].lowercased(), parts.count > 1 ? String(parts[1].drop { $0 == " " }) : "")
                    }
                    let named = Dictionary(headers) { first, _ in first }
                    pending.moveReaderIndex(forwardBy: text[..<end.upperBound].utf8.count)
                    let length = named["content-length"].flatMap { Int($0) } ?? 0
                    while pending.readableBytes < length, let more = try await inbound.next() {
                        pending.writeImmutableBuffer(more)
                    }
                    let body = pending.readSlice(length: min(length, pending.readableBytes)) ?? ByteBuffer()
                    return Request(method: String(words[0]), target: String(words[1]), headers: named, body: body)
                }
                guard let more = try await inbound.next() else { return nil }
                pending.writeImmutableBuffer(more)
            }
        }
    }

    package typealias Answer = @Sendable (Request, inout Connection) async throws -> Void

    package let socket: FilePath
    private let journal = Mutex<[Request]>([])

    private init(socket: FilePath) { self.socket = socket }

    /// The requests so far, in the order they came.
    package var requests: [Request] { journal.withLock { $0 } }

    /// Runs an engine for as long as `body` does.
    package static func run<R: Sendable>(
        _ answer: @escaping Answer, _ body: @escaping @Sendable (FakeDockerEngine) async throws -> R
    ) async throws -> R {
        let folder = try Files.makeTemporaryDirectory(prefix: "wharf-fd-")
        defer { try? Files.remove(folder) }
        let engine = FakeDockerEngine(socket: folder.appending("d.sock"))
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            // A client that closes its side still gets what is written.
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .bind(unixDomainSocketPath: engine.socket.string) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel,
                        configuration: .init(isOutboundHalfClosureEnabled: true))
                }
            }
        return try await listener.executeThenClose { connections in
            try await withThrowingTaskGroup(of: Void.self, returning: R.self) { group in
                group.addTask { try await engine.serve(connections, answer) }
                defer { group.cancelAll() }
                return try await body(engine)
            }
        }
    }

    private func serve(
        _ connections: NIOAsyncChannelInboundStream<NIOAsyncChannel<ByteBuffer, ByteBuffer>>, _ answer: @escaping Answer
    ) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            for try await connection in connections {
                group.addTask {
                    // A client that leaves early is part of some tests.
                    try? await connection.executeThenClose { inbound, _ in
                        var peer = Connection(inbound: inbound.makeAsyncIterator(), channel: connection.channel)
                        guard let request = try await peer.request() else { return }
                        self.journal.withLock { $0.append(request) }
                        try await answer(request, &peer)
                    }
                }
            }
        }
    }
}
