internal import AsyncAlgorithms
internal import AsyncHTTPClient
internal import Core
internal import MCP
internal import NIOCore
internal import NIOHTTP1
internal import OCI
internal import Synchronization

/// Requests of the modern protocol: each stands for itself, and so does the stream of its answer. Closing that takes the
/// request back.
extension StreamableTransport: RelatingTransport {
    func exchange(_ request: RPC.Request, _ bytes: ByteBuffer) async {
        let stop = state.withLock { $0.read(request.id) }
        await jobs.send { [self] in
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await stop.value }
                group.addTask { [self] in
                    do { try await ask(request, modern: bytes) } catch {
                        // Nobody waits for a request that was taken back.
                        if stop.current == nil, !Task.isCancelled { await fail(request, error) }
                    }
                }
                await group.next()
                group.cancelAll()
            }
            _ = state.withLock { $0.stop(request.id) }
        }
    }

    private func ask(_ request: RPC.Request, modern bytes: ByteBuffer) async throws {
        var answer = try await answer(to: request, bytes)
        if request.method == "tools/call", case .failure(let error) = answer.outcome,
            error.code == RPC.Error.headerMismatchCode
        {
            // The tool wants other headers than it did when it was listed.
            try await relist(for: request)
            answer = try await self.answer(to: request, bytes)
        }
        await incoming.send(RPC.Message.response(answer).bytes)
    }

    /// Reads the list of tools anew, for what it says of headers.
    private func relist(for request: RPC.Request) async throws {
        let envelope = try Envelope(of: request.params)
        var cursor: RawJSON?
        for page in 1...100 {
            let params = envelope.written(into: cursor.map { RawJSON(object: [("cursor", $0)]) })
            guard let id = RPC.ID(RawJSON(.string("wharf-list-\(page)"))) else { return }
            let list = RPC.Request(id: id, method: "tools/list", params: params)
            let result = try await answer(to: list, RPC.Message.request(list).bytes).outcome.get()
            cursor = result["nextCursor"]
            if cursor?.isNull ?? true { return }
        }
    }

    private struct Answered: Error {}

    /// Sends a request and waits for its answer; what comes before that is handed on.
    private func answer(to request: RPC.Request, _ bytes: ByteBuffer) async throws -> RPC.Response {
        let version = request.params?["_meta"]?[Envelope.versionKey]?.string.flatMap(Revision.init(rawValue:))
        let fields = toolHeaders.withLock { $0.fields(of: request, revision: version ?? .latest) }
        var headers = HTTPHeaders(fields.map { ($0.name, $0.value) })
        headers.add(name: "content-type", value: "application/json")
        headers.add(name: "accept", value: "application/json, text/event-stream")
        let response = try await http.execute(.POST, http.endpoint.address, headers, body: bytes)
        let isFine = (200...299).contains(response.status.code)
        if isFine, response.isEventStream {
            var position = StreamPosition()
            var answer: RPC.Response?
            let problem = await events(of: response, &position) { [self] message in
                answer = Self.answer(message, to: request)
                guard answer == nil else { throw Answered() }
                await incoming.send(Self.related(message, to: request.id))
            }
            if let answer { return noted(answer, request) }
            throw Failure(
                .unavailable,
                "\(authority) closed the stream of \(request.method) before its answer; it may have been done",
                cause: problem)
        }
        let limit = isFine ? LineMessages<Messages>.maximumMessage : RemoteHTTP.maximumError
        let body = try await response.body.collect(upTo: limit)
        guard let answer = Self.answer(body, to: request) else {
            throw response.failure(of: http.endpoint.address, String(buffer: body))
        }
        return noted(answer, request)
    }

    /// Logs say by nothing but their stream which request they belong to.
    private static func related(_ bytes: ByteBuffer, to id: RPC.ID) -> ByteBuffer {
        guard case .notification(let note)? = try? RPC.Message(parsing: bytes), note.method == "notifications/message"
        else { return bytes }
        let params = CallTag.write(id, into: note.params)
        return RPC.Message.notification(RPC.Notification(method: note.method, params: params)).bytes
    }

    private func fail(_ request: RPC.Request, _ error: any Error) async {
        let error = RPC.Error(code: -32000, message: Failure.text(of: error))
        await incoming.send(RPC.Message.response(RPC.Response(id: request.id, outcome: .failure(error))).bytes)
    }

    /// The answer to a request; an error without an id is one too, as nothing else was asked there.
    static func answer(_ bytes: ByteBuffer, to request: RPC.Request) -> RPC.Response? {
        guard case .response(let response)? = try? RPC.Message(parsing: bytes) else { return nil }
        if response.id == request.id { return response }
        guard response.id == nil, case .failure = response.outcome else { return nil }
        return RPC.Response(id: request.id, outcome: response.outcome)
    }

    /// Lists of tools say what has to go into headers; tools of which that cannot be done are left out.
    private func noted(_ response: RPC.Response, _ request: RPC.Request) -> RPC.Response {
        guard case .success(let page) = response.outcome else { return response }
        if request.method == "server/discover" { state.withLock { $0.answered() } }
        guard request.method == "tools/list" else { return response }
        let seen = toolHeaders.withLock { $0.note(page).page }
        return RPC.Response(id: response.id, outcome: .success(seen))
    }
}
