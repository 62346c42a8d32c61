package import NIOCore
package import NIOHTTP1
internal import NIOPosix
internal import Synchronization

/// An HTTP server in this process, on loopback, that answers by a script: also with closed connections and with bytes
/// that are no HTTP.
package final class ScriptedServer: Sendable {
    package struct Request: Sendable {
        package let method: String
        /// Without the query.
        package let path: String
        package let query: String
        package let headers: HTTPHeaders
        package let body: ByteBuffer
        /// Whether the body was cut off by `Script.cut`.
        package let isCut: Bool

        /// `METHOD path`
        package var line: String { "\(method) \(path)" }

        package func header(_ name: String) -> String? { headers.first(name: name) }

        /// The first value of a query's parameter, percent-decoding left aside.
        package func parameter(_ name: String) -> String? {
            query.split(separator: "&").first { $0.hasPrefix("\(name)=") }.map { String($0.dropFirst(name.count + 1)) }
        }
    }

    package enum Answer: Sendable {
        case http(Int, [(String, String)] = [], String = "")
        /// Closes the connection without a word.
        case close
        /// Sends these bytes and closes the connection.
        case raw(String)
        /// Sends these bytes, and nothing after them.
        case stall(String)
    }

    package typealias Script = @Sendable (Request) -> Answer

    private struct State {
        var requests: [Request] = []
        var cuts: [Int] = []
    }

    private let state = Mutex(State())
    private let script: Mutex<Script>
    package let port: Int
    private let channel: any Channel

    private init(channel: any Channel, script: @escaping Script) {
        self.channel = channel
        self.script = Mutex(script)
        port = channel.localAddress?.port ?? 0
    }

    /// `127.0.0.1:port`
    package var address: String { "127.0.0.1:\(port)" }
    package var requests: [Request] { state.withLock { $0.requests } }
    package var lines: [String] { requests.map(\.line) }
    package func forgetRequests() { state.withLock { $0.requests = [] } }
    package func answer(by script: @escaping Script) { self.script.withLock { $0 = script } }

    /// The next request with a body of more than so many bytes is cut off there: the connection is closed.
    package func cutBody(after bytes: Int) { state.withLock { $0.cuts.append(bytes) } }

    fileprivate var nextCut: Int? { state.withLock { $0.cuts.first } }

    fileprivate func take(_ request: Request) -> Answer {
        state.withLock { state in
            state.requests.append(request)
            if request.isCut { state.cuts.removeFirst() }
        }
        return script.withLock { $0 }(request)
    }

    /// Runs a server while the body runs.
    package static func run<R>(
        _ script: @escaping Script = { _ in .http(404) }, _ body: (ScriptedServer) async throws -> R
    ) async throws -> R {
        let place = Mutex<ScriptedServer?>(nil)
        let bootstrap = ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { child in
                child.eventLoop.makeCompletedFuture {
                    try child.pipeline.syncOperations.addHandler(ByteToMessageHandler(HTTPRequestDecoder()))
                    try child.pipeline.syncOperations.addHandler(Handler { place.withLock { $0 } })
                }
            }
        let channel = try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
        let server = ScriptedServer(channel: channel, script: script)
        place.withLock { $0 = server }
        let result: Result<R, any Error>
        do { result = .success(try await body(server)) } catch { result = .failure(error) }
        try await channel.close()
        place.withLock { $0 = nil }
        return try result.get()
    }
}

private final class Handler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    private let server: () -> ScriptedServer?
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()

    init(server: @escaping () -> ScriptedServer?) { self.server = server }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = ByteBuffer()
        case .body(var bytes):
            body.writeBuffer(&bytes)
            if let cut = server()?.nextCut, body.readableBytes > cut, head != nil {
                body.moveWriterIndex(to: cut)
                _ = ask(isCut: true)
                head = nil
                context.close(promise: nil)
            }
        case .end:
            guard head != nil else { return }
            answer(ask(isCut: false), context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func ask(isCut: Bool) -> ScriptedServer.Answer {
        guard let head, let server = server() else { return .close }
        let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        return server.take(
            .init(
                method: head.method.rawValue, path: String(parts[0]), query: parts.count > 1 ? String(parts[1]) : "",
                headers: head.headers, body: body, isCut: isCut))
    }

    private func answer(_ answer: ScriptedServer.Answer, _ context: ChannelHandlerContext) {
        switch answer {
        case .close: context.close(promise: nil)
        case .stall(let text): context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
        case .raw(let text):
            context.write(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
            context.flush()
            context.close(promise: nil)
        case .http(let status, let fields, let text):
            var lines = ["HTTP/1.1 \(status) Scripted"] + fields.map { "\($0.0): \($0.1)" }
            if status != 204, !fields.contains(where: { $0.0 == "Content-Length" }) {
                lines.append("Content-Length: \(text.utf8.count)")
            }
            let head = lines.joined(separator: "\r\n") + "\r\n\r\n"
            let body = self.head?.method == .HEAD ? "" : text
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: head + body)), promise: nil)
        }
    }
}
