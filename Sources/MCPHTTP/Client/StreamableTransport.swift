package import AsyncAlgorithms
internal import AsyncHTTPClient
internal import Core
package import MCP
package import NIOCore
internal import NIOHTTP1
internal import OCI
internal import Synchronization

/// The server has forgotten the session: what was asked in it has not been done, and a new one has to be begun.
package struct SessionLost: Error, CustomStringConvertible {
    package var description: String { "the server has forgotten the session" }
}

/// MCP over Streamable HTTP, as a client: a POST for each message, answered with JSON or with events; a GET stream for
/// what belongs to no request. Streams that break are gone on with where they were.
package final class StreamableTransport: Transport {
    package typealias Messages = AsyncThrowingChannel<ByteBuffer, any Error>

    /// How long a stream may go on after its answer.
    private static let rest = Duration.seconds(2)
    /// How long a server may take to accept what it need not answer.
    private static let patience = Duration.seconds(30)

    let http: RemoteHTTP
    let state = Mutex(StreamableState())
    let incoming = Messages()
    let toolHeaders = Mutex(ToolHeaders())
    /// Streams to be read beside everything else.
    let jobs = AsyncChannel<@Sendable () async -> Void>()

    init(_ http: RemoteHTTP) { self.http = http }

    /// Many a server answers a POST when the call is over, and not before.
    package var sendsRequestsSideBySide: Bool { true }

    /// Why the handshake was refused, where that means that the server does not know this transport.
    var isUnknownToServer: Failure? { state.withLock { $0.refusal } }

    package func connect<R: Sendable>(
        _ body: (Messages, @escaping SendMessage) async throws -> R
    ) async throws -> R {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [jobs] in
                await withDiscardingTaskGroup { readers in
                    for await job in jobs { readers.addTask { await job() } }
                    readers.cancelAll()
                }
            }
            let outcome: Result<R, any Error>
            do { outcome = .success(try await body(incoming) { [self] bytes, _ in try await send(bytes) }) } catch {
                outcome = .failure(error)
            }
            group.cancelAll()
            incoming.finish()
            jobs.finish()
            await shielded { [self] in await close() }
            return try outcome.get()
        }
    }

    // MARK: Sending

    private func send(_ bytes: ByteBuffer) async throws {
        if state.withLock({ $0.isLost }) { throw NotSent(reason: Self.lost) }
        switch try RPC.Message(parsing: bytes) {
        case .request(let request) where Envelope.isMarked(request.params): await exchange(request, bytes)
        case .request(let request): try await ask(request, bytes)
        case .notification(let note):
            if note.method == "notifications/cancelled", let id = note.params?["requestId"].flatMap(RPC.ID.init) {
                let isOver = state.withLock { $0.stop(id) }?.fulfil(.success(())) != nil
                // In the modern protocol the closed stream says it; there is no session to tell.
                if isOver, state.withLock({ $0.version == nil }) { return }
            }
            try await tell(bytes)
            if note.method == "notifications/initialized" { await jobs.send { [self] in await listen() } }
        // Only a session has questions that can be answered.
        case .response: if state.withLock({ $0.version != nil }) { try await tell(bytes) }
        }
    }

    /// A message that is not answered.
    private func tell(_ bytes: ByteBuffer) async throws {
        try await withDeadline(Self.patience, "\(authority) does not accept messages") { [self] in
            let response = try await post(bytes)
            let text = try await Self.text(response)
            guard (200...299).contains(response.status.code) else { throw await refused(response, text) }
        }
    }

    /// Sends a request, and reads its answer or has that read; until nobody wants it any more.
    private func ask(_ request: RPC.Request, _ bytes: ByteBuffer) async throws {
        let stop = state.withLock { $0.read(request.id) }
        var isRead = false
        defer { if !isRead { _ = state.withLock { $0.stop(request.id) } } }
        isRead = try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask { [self] in try await ask(request, bytes, until: stop) }
            group.addTask {
                try await stop.value
                return false
            }
            defer { group.cancelAll() }
            return try await group.next() ?? false
        }
    }

    /// - Returns: whether its stream is still being read.
    private func ask(_ request: RPC.Request, _ bytes: ByteBuffer, until stop: Promise<Void>) async throws -> Bool {
        let response: HTTPClientResponse
        do { response = try await post(bytes) } catch let failure as Failure where failure.cause is Unconnected {
            throw NotSent(reason: failure)
        }
        guard (200...299).contains(response.status.code) else {
            let text = try await Self.text(response)
            let failure = await refused(response, text)
            if request.method == "initialize", [400, 404, 405].contains(response.status.code) {
                state.withLock { $0.refused(failure) }
            }
            // A refusal may say so in the protocol's own words.
            if state.withLock({ $0.isLost }) { throw NotSent(reason: failure) }
            guard let answer = Self.answer(ByteBuffer(string: text), to: request) else { throw failure }
            await incoming.send(RPC.Message.response(answer).bytes)
            return false
        }
        if response.isEventStream {
            await jobs.send { [self] in
                await read(response, for: request, until: stop)
                _ = state.withLock { $0.stop(request.id) }
            }
            return true
        }
        let body = try await response.body.collect(upTo: LineMessages<Messages>.maximumMessage)
        // Accepted without an answer: it comes by the other stream, as some servers do it.
        if body.readableBytes == 0, response.status.code == 202 { return false }
        guard let answer = Self.answers(body, request.id) else {
            throw Failure(.corrupted, "\(authority) answered \(request.method) with something that is no answer to it")
        }
        try note(answer, to: request, response)
        await incoming.send(body)
        return false
    }

    private func post(_ bytes: ByteBuffer) async throws -> HTTPClientResponse {
        var headers = sessionHeaders
        headers.add(name: "content-type", value: "application/json")
        headers.add(name: "accept", value: "application/json, text/event-stream")
        return try await http.execute(.POST, http.endpoint.address, headers, body: bytes)
    }

    private var sessionHeaders: HTTPHeaders {
        let (session, version) = state.withLock { ($0.session, $0.version) }
        var headers = HTTPHeaders()
        if let session { headers.add(name: "mcp-session-id", value: session) }
        if let version { headers.add(name: "mcp-protocol-version", value: version.rawValue) }
        return headers
    }

    /// The answer to the handshake begins the session.
    private func note(_ answer: RPC.Response, to request: RPC.Request, _ response: HTTPClientResponse) throws {
        guard request.method == "initialize", case .success(let result) = answer.outcome else { return }
        let session = response.headers.first(name: "mcp-session-id")
        try state.withLock { try $0.opened(session: session, result) }
    }

    // MARK: Reading

    /// Reads the stream that answers a request, to its end; comes back to it where it breaks before the answer.
    private func read(_ response: HTTPClientResponse, for request: RPC.Request, until stop: Promise<Void>) async {
        let answered = Promise<Void>()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await stop.value }
            group.addTask {
                try? await answered.value
                // The server closes it now; one that does not is left.
                try? await Task.sleep(for: Self.rest)
            }
            group.addTask { [self] in
                let problem = await follow(response, for: request, answered)
                guard let problem, answered.current == nil, !Task.isCancelled, stop.current == nil else { return }
                let error = RPC.Error(code: -32000, message: problem.description)
                let answer = RPC.Message.response(RPC.Response(id: request.id, outcome: .failure(error)))
                await incoming.send(answer.bytes)
            }
            await group.next()
            group.cancelAll()
        }
    }

    /// - Returns: why there is no answer; nil where there was one.
    private func follow(
        _ first: HTTPClientResponse, for request: RPC.Request, _ answered: Promise<Void>
    ) async -> Failure? {
        var position = StreamPosition()
        var response = first
        while true {
            let problem = await events(of: response, &position) { [self] message in
                if let answer = Self.answers(message, request.id) {
                    try note(answer, to: request, first)
                    await incoming.send(message)
                    answered.fulfil(.success(()))
                } else {
                    await incoming.send(message)
                }
            }
            if answered.current != nil || Task.isCancelled { return nil }
            let broken = "\(authority) closed the stream of \(request.method) before its answer; it may have been done"
            guard let last = position.lastID, position.attempts < StreamPosition.maximumAttempts else {
                return Failure(.unavailable, broken, cause: problem)
            }
            do {
                try await Task.sleep(for: position.pause())
                guard let next = try await get(after: last) else { return Failure(.unavailable, broken) }
                response = next
            } catch let failure as Failure where failure.code == .unavailable || failure.code == .timedOut {
                // Once more, until the attempts are used up.
                continue
            } catch { return Failure(.unavailable, broken, cause: error) }
        }
    }

    /// Reads the stream for what belongs to no request, for as long as the session lasts, where the server has one.
    private func listen() async {
        var position = StreamPosition()
        while !Task.isCancelled {
            do {
                guard let response = try await get(after: position.lastID) else { return }
                _ = await events(of: response, &position) { [self] in await incoming.send($0) }
            } catch let failure as Failure where failure.code == .unavailable || failure.code == .timedOut {
                if failure.cause is SessionLost { return }
            } catch { return }
            try? await Task.sleep(for: position.pause())
        }
    }

    /// - Returns: nil where the server has no such stream.
    private func get(after last: String?) async throws -> HTTPClientResponse? {
        var headers = sessionHeaders
        headers.add(name: "accept", value: "text/event-stream")
        if let last { headers.add(name: "last-event-id", value: last) }
        let response = try await http.execute(.GET, http.endpoint.address, headers)
        if response.status.code == 200, response.isEventStream { return response }
        let text = try await Self.text(response)
        if (200...299).contains(response.status.code) || response.status.code == 405 { return nil }
        throw await refused(response, text)
    }

    /// Hands every message of a stream on.
    ///
    /// - Returns: how the stream broke; nil where it ended.
    func events(
        of response: HTTPClientResponse, _ position: inout StreamPosition,
        _ body: (ByteBuffer) async throws -> Void
    ) async -> (any Error)? {
        var parser = SSE.Parser(maximumEvent: LineMessages<Messages>.maximumMessage)
        do {
            for try await chunk in response.body {
                let events = try parser.append(chunk)
                position.note(id: parser.lastID, retry: parser.retry)
                for event in events where !event.data.isEmpty && (event.name ?? "message") == "message" {
                    position.noteEvent()
                    try await body(ByteBuffer(string: event.data))
                }
            }
            return nil
        } catch { return error }
    }

    // MARK: Ends

    var authority: String { http.endpoint.address.authority }
    private static let lost = Failure(.unavailable, "the call was not made", cause: SessionLost())

    /// What a status that is an error means; the session is over where the server does not know it any more.
    private func refused(_ response: HTTPClientResponse, _ text: String) async -> Failure {
        guard response.status.code == 404, state.withLock({ $0.session != nil }) else {
            return response.failure(of: http.endpoint.address, text)
        }
        state.withLock { $0.lose() }
        await jobs.send { [incoming] in
            // Whoever has asked is to hear first that it was not done, and may be again.
            try? await Task.sleep(for: .milliseconds(20))
            incoming.fail(SessionLost())
        }
        return Self.lost
    }

    /// Tells the server that the session is over, if it wants to know.
    private func close() async {
        guard state.withLock({ $0.session != nil && !$0.isLost }) else { return }
        let headers = sessionHeaders
        _ = try? await withDeadline(Self.rest, "") { [http] in
            _ = try await Self.text(try await http.execute(.DELETE, http.endpoint.address, headers))
        }
    }

    private static func text(_ response: HTTPClientResponse) async throws -> String {
        var bytes = ByteBuffer()
        for try await chunk in response.body {
            bytes.writeImmutableBuffer(chunk)
            if bytes.readableBytes >= RemoteHTTP.maximumError { break }
        }
        return String(buffer: bytes)
    }

    /// The message where it is the answer to a request.
    private static func answers(_ bytes: ByteBuffer, _ id: RPC.ID) -> RPC.Response? {
        guard case .response(let response)? = try? RPC.Message(parsing: bytes), response.id == id else { return nil }
        return response
    }
}
