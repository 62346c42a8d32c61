internal import Bridge
internal import Core
package import MCP
package import NIOCore
internal import NIOPosix
internal import Synchronization

/// Everything that one client of one principal asks at one place: a session, though its client knows of
/// none.
package final class ModernHTTPSession: ServedSession {
    package let principal: Principal
    package let scope: Scope
    let id = RandomText.make(32)
    /// The event loop of the connection that it was opened on.
    let executor = LoopExecutor(MultiThreadedEventLoopGroup.singleton.any())
    private let session: ModernClientSession
    private let open: Open
    private let headers = Mutex(Headers())
    private let ending = Mutex<Failure?>(nil)

    private final class Open: Sendable {
        let exchanges = Mutex<[ModernClient.Exchange: ModernExchange]>([:])
        /// Whether the tools are others than those whose headers are known.
        let isStale = Mutex(true)
    }

    private struct Headers: Sendable {
        var tools = ToolHeaders()
        var loading: Promise<Void>?
    }

    init(_ principal: Principal, _ scope: Scope, parking: Parking, log: @escaping @Sendable (String) -> Void) {
        self.principal = principal
        self.scope = scope
        let open = Open()
        self.open = open
        session = ModernClientSession(
            principal: "\(scope.prefix)|\(principal.name)", parking: parking, log: log,
            onToolsChanged: { open.isStale.withLock { $0 = true } },
            sink: { exchange, reply in
                if case .last = reply {
                    open.exchanges.withLock { $0.removeValue(forKey: exchange) }?.say(reply)
                } else {
                    open.exchanges.withLock { $0[exchange] }?.say(reply)
                }
            })
    }

    package var era: Era { .modern }

    package func connect<R: Sendable>(
        _ body: (AsyncStream<ByteBuffer>, @escaping SendMessage) async throws -> R
    ) async throws -> R {
        try await session.connect(body)
    }

    // MARK: Requests

    /// Asks something; the answer comes by the exchange's outlet.
    ///
    /// - Returns: what to leave when the client has gone away.
    func ask(_ request: RPC.Request, _ envelope: Envelope, on exchange: ModernExchange) async -> ModernClient.Exchange {
        let number = session.makeExchange()
        open.exchanges.withLock { $0[number] = exchange }
        await session.receive(request, envelope, on: number)
        return number
    }

    func leave(_ number: ModernClient.Exchange) {
        guard open.exchanges.withLock({ $0.removeValue(forKey: number) }) != nil else { return }
        session.leave(number)
    }

    /// Whether a call's headers repeat its arguments as its tool wants it.
    ///
    /// - Throws: −32020 where they do not.
    func check(_ call: RPC.Request, _ envelope: Envelope, header: (String) -> [String]) async throws(RPC.Error) {
        guard let tool = call.params?["name"]?.string else { return }
        await load(envelope)
        let expected = headers.withLock { $0.tools[tool] }
        if !expected.isEmpty { try expected.check(call.params?["arguments"], header: header) }
    }

    /// Reads the list of tools, where it has changed; calls at the same time wait for one reading.
    private func load(_ envelope: Envelope) async {
        guard open.isStale.withLock({ $0 }) else { return }
        let (promise, isOurs) = headers.withLock { headers -> (Promise<Void>, Bool) in
            if let loading = headers.loading { return (loading, false) }
            let promise = Promise<Void>()
            headers.loading = promise
            return (promise, true)
        }
        guard isOurs else {
            try? await promise.value
            return
        }
        open.isStale.withLock { $0 = false }
        var tools = ToolHeaders()
        var cursor: RawJSON?
        for _ in 0..<100 {
            let params = envelope.written(into: cursor.map { RawJSON(object: [("cursor", $0)]) })
            let request = RPC.Request(id: RPC.ID(0), method: "tools/list", params: params)
            guard let page = await answer(request, envelope) else {
                // Unknown tools have no headers to check; the next call tries again.
                open.isStale.withLock { $0 = true }
                break
            }
            _ = tools.note(page)
            cursor = page["nextCursor"]
            if cursor?.isNull ?? true { break }
        }
        headers.withLock { ($0.tools, $0.loading) = (tools, nil) }
        promise.fulfil(.success(()))
    }

    private func answer(_ request: RPC.Request, _ envelope: Envelope) async -> RawJSON? {
        let exchange = ModernExchange(request, queue: 64 << 20)
        let number = await ask(request, envelope, on: exchange)
        while let item = await exchange.outlet.next() {
            guard case .last(let event) = item else { continue }
            guard case .response(let response)? = try? RPC.Message(parsing: event.bytes) else { return nil }
            return try? response.outcome.get()
        }
        leave(number)
        return nil
    }

    // MARK: Ends

    /// Requests that have not been answered yet; subscriptions never are, until the end.
    var unanswered: Int { open.exchanges.withLock { $0.values.count { !$0.isSubscription } } }

    /// Nobody has used it for long: the gateway sees its input end.
    func end() { session.finish() }

    /// The gateway has ended it: everything that is open gets an answer.
    func finish(_ reason: Failure) async {
        ending.withLock { if $0 == nil { $0 = reason } }
        session.finish()
        await session.close(.internalError(reason.description))
        for exchange in open.exchanges.withLock({ Array($0.values) }) { exchange.outlet.close() }
    }

    func tick() async {
        for exchange in open.exchanges.withLock({ Array($0.values) }) { exchange.outlet.tick() }
        await session.tick()
    }

    /// Why the session has ended.
    var reason: Failure { ending.withLock { $0 } ?? Failure(.unavailable, "the session has ended") }
}
