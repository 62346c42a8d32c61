import AsyncHTTPClient
import Core
import Logging
import MCP
import NIOCore
import NIOHTTP1
import Testing

@testable import MCPHTTP

/// A whole server in this process, with a small MCP server behind every session.
struct Bench: Sendable {
    let port: Int
    let client: HTTPClient
    let served: Served
    /// Fulfilled to have the server end in its own time.
    let stop: Promise<Void>

    static let token = "s3cret-token"

    struct Answer: Sendable {
        let status: Int
        let headers: HTTPHeaders
        let body: ByteBuffer

        var text: String { String(buffer: body) }
        /// The answer, also where it took so long that it came as a stream of events.
        var json: JSON {
            get throws {
                guard headers.first(name: "content-type") == "text/event-stream" else { return try JSON(parsing: body) }
                var parser = SSE.Parser(maximumEvent: 128 << 20)
                return try JSON(parsing: try parser.append(body).last?.data ?? "")
            }
        }
        var session: String? { headers.first(name: "mcp-session-id") }
    }

    /// - Parameter serve: in the place of the usual server.
    static func run(
        authorization: Authorization? = nil, limits: StreamableServer.Limits = .init(), servers: Set<String> = [],
        certificate: Current<ServerCertificate>? = nil, isReady: @escaping @Sendable () -> Bool = { true },
        serve: (@Sendable (any ServedSession) async throws -> Void)? = nil,
        _ body: @escaping @Sendable (Bench) async throws -> Void
    ) async throws {
        let client = HTTPClient(eventLoopGroupProvider: .singleton)
        let listening = Promise<Int>()
        let served = Served()
        let stop = Promise<Void>()
        var shown: (@Sendable () -> ServerCertificate)?
        if let certificate { shown = { certificate.value } }
        let server = StreamableServer(
            configuration: .init(
                port: 0, authorization: try authorization ?? .bearer(BearerToken(token)),
                certificate: shown,
                limits: limits, servers: { servers }, isReady: isReady,
                onListening: { listening.fulfil(.success($0)) }),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { session in
            await served.began()
            let outcome: Result<Void, any Error>
            do {
                if let serve {
                    try await serve(session)
                } else {
                    try await Peer.serve(over: session, handler: TestServer())
                }
                outcome = .success(())
            } catch { outcome = .failure(error) }
            await served.finished()
            try outcome.get()
        }
        let outcome: Result<Void, any Error>
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    do { try await server.run(until: stop) } catch {
                        listening.fulfil(.failure(error))
                        throw error
                    }
                }
                let bench = Bench(port: try await listening.value, client: client, served: served, stop: stop)
                group.addTask { try await body(bench) }
                try await group.next()
                // A server that was told to end may do so before whoever told it is done.
                if stop.current != nil { try await group.next() }
                group.cancelAll()
                while let result = await group.nextResult() { _ = result }
            }
            #expect(await served.ongoing == 0, "the server has waited for every session")
            outcome = .success(())
        } catch { outcome = .failure(error) }
        try await client.shutdown()
        try outcome.get()
    }

    /// - Parameter extra: headers beside the usual ones, or in their place; an empty one is left out.
    func request(
        _ method: HTTPMethod, _ path: String = "/mcp", _ body: String? = nil, session: String? = nil,
        with extra: [String: String] = [:]
    ) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.method = method
        var headers = [
            "accept": "application/json, text/event-stream", "authorization": "Bearer \(Self.token)",
        ]
        if body != nil { headers["content-type"] = "application/json" }
        if let session { headers["mcp-session-id"] = session }
        for (name, value) in headers.merging(extra, uniquingKeysWith: { $1 }) {
            if !value.isEmpty { request.headers.replaceOrAdd(name: name, value: value) }
        }
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        return request
    }

    func open(_ request: HTTPClientRequest) async throws -> HTTPClientResponse {
        try await client.execute(request, timeout: .seconds(60))
    }

    func send(_ request: HTTPClientRequest) async throws -> Answer {
        let response = try await open(request)
        return Answer(
            status: Int(response.status.code), headers: response.headers,
            body: try await response.body.collect(upTo: 128 << 20))
    }

    func post(_ body: String, session: String? = nil, with extra: [String: String] = [:]) async throws -> Answer {
        try await send(request(.POST, "/mcp", body, session: session, with: extra))
    }

    static let initialize = #"""
        {"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},\#
        "clientInfo":{"name":"test","version":"1"}}}
        """#

    /// A new session's id.
    func session(_ version: String = "2025-06-18", with extra: [String: String] = [:]) async throws -> String {
        let answer = try await post(Self.initialize.replacing("2025-06-18", with: version), with: extra)
        #expect(answer.status == 200)
        let session = try #require(answer.session)
        let noted = try await post(
            #"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, session: session, with: extra)
        #expect(noted.status == 202 && noted.body.readableBytes == 0)
        return session
    }

    func call(
        _ method: String, id: Int = 1, _ params: String = "{}", session: String, with extra: [String: String] = [:]
    ) async throws -> Answer {
        try await post(Self.call(method, id, params), session: session, with: extra)
    }

    static func call(_ method: String, _ id: Int, _ params: String = "{}") -> String {
        #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)","params":\#(params)}"#
    }
}

/// How many sessions were and are being served.
actor Served {
    private(set) var total = 0
    private(set) var ongoing = 0

    func began() { (total, ongoing) = (total + 1, ongoing + 1) }
    func finished() { ongoing -= 1 }

    func waitUntilNone() async { while ongoing > 0 { await Task.yield() } }
}

/// Events of a stream as they come.
struct Events: ~Copyable {
    private var chunks: HTTPClientResponse.Body.AsyncIterator
    private var parser = SSE.Parser()
    private var ready: ArraySlice<SSE.Event> = []
    /// Every byte so far.
    private(set) var text = ""

    init(_ response: HTTPClientResponse) { chunks = response.body.makeAsyncIterator() }

    mutating func next() async throws -> SSE.Event? {
        while ready.isEmpty {
            guard let chunk = try await chunks.next() else { return nil }
            text += String(buffer: chunk)
            ready = try parser.append(chunk)[...]
        }
        return ready.popFirst()
    }

    mutating func message() async throws -> JSON? { try await next().map { try JSON(parsing: $0.data) } }

    /// Reads until the stream has had some text.
    mutating func wait(for part: String) async throws {
        while !text.contains(part) {
            guard let chunk = try await chunks.next() else { return }
            text += String(buffer: chunk)
        }
    }
}

/// A server whose methods do what a test wants to see on the wire.
struct TestServer: Peer.Handler {
    private static let progress = "notifications/progress"

    func admit(_ request: RPC.Request, from peer: Peer) throws(RPC.Error) -> Peer.Admission {
        guard request.method == "initialize" else { return .respond }
        guard let version = request.params?["protocolVersion"] else {
            throw .invalidParams("initialize without a version")
        }
        let answer = RawJSON(["capabilities": [:], "serverInfo": ["name": "test"]])
        return .answer(answer.replacing("protocolVersion", with: version))
    }

    func respond(to request: RPC.Request, from peer: Peer) async throws -> RawJSON {
        switch request.method {
        case "echo": return request.params ?? RawJSON([:])
        case "progress":
            let token = request.params?["_meta"]?["progressToken"] ?? RawJSON(.null)
            for step in 1...3 {
                let params = RawJSON(["progress": .int(step)]).replacing("progressToken", with: token)
                peer.notify(Self.progress, params, relatedTo: request.id)
            }
            return RawJSON(["done": true])
        case "ask": return RawJSON(["answered": try await peer.request("roots/list", relatedTo: request.id).parsed()])
        case "hang":
            await untilCancelled()
            throw CancellationError()
        default: throw RPC.Error.methodNotFound(request.method)
        }
    }

    func receive(_ notification: RPC.Notification, from peer: Peer) async {
        guard notification.method == "notifications/poke" else { return }
        peer.notify("notifications/message", notification.params)
    }
}

/// A server that takes its time with `slow`, and answers everything else at once.
struct SlowServer: Peer.Handler {
    let started = Promise<Void>()
    let release = Promise<Void>()
    let finished = Promise<Void>()

    func admit(_ request: RPC.Request, from peer: Peer) throws(RPC.Error) -> Peer.Admission {
        request.method == "slow" ? .respond : .answer(RawJSON([:]))
    }

    func respond(to request: RPC.Request, from peer: Peer) async throws -> RawJSON {
        started.fulfil(.success(()))
        try await release.value
        finished.fulfil(.success(()))
        return RawJSON([:])
    }

    func receive(_ notification: RPC.Notification, from peer: Peer) async {}
}
