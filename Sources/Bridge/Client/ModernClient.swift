package import Core
package import MCP

/// The gateway as a modern client knows servers, made of one that knows sessions.
///
/// A value: requests of the client (each an `Exchange` of the transport's) and messages of the gateway in, what is to be
/// done about them out. One value stands for one client: one principal, with one set of capabilities.
package struct ModernClient: Sendable {
    /// The transport's number for one request and everything that is said in answer to it.
    package struct Exchange: Hashable, Sendable {
        package let number: Int
        package init(_ number: Int) { self.number = number }
    }

    package enum Action: Sendable {
        /// To the gateway.
        case send(RPC.Message)
        /// To the client, before the answer.
        case notify(Exchange, RPC.Notification)
        /// To the client; nothing follows.
        case reply(Exchange, Result<RawJSON, RPC.Error>)
        case log(String)
    }

    /// A call that is parked, as the shared table knows it.
    package struct Parked: Sendable, Hashable {
        /// Which client's; so that the right value is told when it expires.
        package let client: UInt64
        /// The gateway's call; nil where nothing waits, because the server keeps its state in `requestState`.
        package let call: RPC.ID?

        package init(client: UInt64, call: RPC.ID?) {
            self.client = client
            self.call = call
        }
    }

    package typealias Park = @Sendable (_ change: (inout ParkedCalls<Parked>) throws -> Void) throws -> Void

    enum Phase: Sendable {
        case new
        /// The gateway has been asked to initialize.
        case opening(RPC.ID)
        case open(RawJSON)
    }

    struct Call: Sendable {
        let request: RPC.Request
        var envelope: Envelope
        /// Nil while it is parked.
        var exchange: Exchange?
        var round = 0
        /// What the gateway wants to know, by its own ids.
        var asks: [(key: String, id: RPC.ID, ask: InputRequired.Ask)] = []
        /// Whether the gateway has asked for a task of the handshake era, and which one it got.
        var isTask = false
        var task: RawJSON?
        /// An answer that came while nobody was there.
        var outcome: Result<RawJSON, RPC.Error>?
    }

    struct Pending: Sendable {
        let exchange: Exchange
        let request: RPC.Request
        let envelope: Envelope
    }

    package static let maximumExchanges = 256

    let identity: UInt64
    let principal: String
    let seal: StateSeal
    let park: Park
    var phase = Phase.new
    var queue: [Pending] = []
    var calls: [RPC.ID: Call] = [:]
    var exchanges: [Exchange: RPC.ID] = [:]
    var listens: [Exchange: Listen] = [:]
    var subscriptions = Subscriptions()
    /// The level that was asked of the gateway last.
    var level: LogLevel?
    private var next = 1

    /// - Parameters:
    ///   - identity: unique among the clients that share `park`.
    ///   - park: changes the table of parked calls that all clients share.
    package init(identity: UInt64, principal: String, seal: StateSeal, park: @escaping Park) {
        self.identity = identity
        self.principal = principal
        self.seal = seal
        self.park = park
    }

    mutating func makeID() -> RPC.ID {
        defer { next += 1 }
        return RPC.ID("c\(next)")
    }

    /// Whether nothing is going on: no request, no subscription, no parked call.
    package var isIdle: Bool { queue.isEmpty && calls.isEmpty && listens.isEmpty }

    /// A request of the client, whose envelope and headers are in order.
    package mutating func receive(
        _ request: RPC.Request, _ envelope: Envelope, on exchange: Exchange, now: Int64
    ) -> [Action] {
        guard calls.count + queue.count + listens.count < Self.maximumExchanges else {
            return [.reply(exchange, .failure(RPC.Error(code: -32000, message: "too many requests at once")))]
        }
        guard !Self.ofOldEra.contains(request.method) else {
            return [.reply(exchange, .failure(.methodNotFound(request.method)))]
        }
        let pending = Pending(exchange: exchange, request: request, envelope: envelope)
        switch phase {
        case .open: return start(pending, now: now)
        case .opening:
            queue.append(pending)
            return []
        case .new:
            queue.append(pending)
            let id = makeID()
            phase = .opening(id)
            return [.send(.request(Self.initialize(id, envelope)))]
        }
    }

    private static let ofOldEra: Set<String> = [
        "initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "tasks/list",
        "tasks/result",
    ]

    private static func initialize(_ id: RPC.ID, _ envelope: Envelope) -> RPC.Request {
        let members: [(name: String, value: RawJSON)] = [
            ("protocolVersion", RawJSON(.string(ProtocolVersion.latest.rawValue))),
            ("capabilities", envelope.capabilities),
            ("clientInfo", envelope.client ?? RawJSON(["name": "unknown", "version": "0"])),
        ]
        // The envelope says that results need not be cut down to what the handshake era knows.
        let params = envelope.written(into: RawJSON(object: members))
        return RPC.Request(id: id, method: "initialize", params: params)
    }

    private mutating func start(_ pending: Pending, now: Int64) -> [Action] {
        switch pending.request.method {
        case "server/discover": [.reply(pending.exchange, .success(discovery))]
        case "subscriptions/listen": listen(pending)
        default: call(pending, now: now)
        }
    }

    /// The client has closed the stream of an exchange, or taken its request back: that is the cancellation.
    package mutating func leave(_ exchange: Exchange) -> [Action] {
        queue.removeAll { $0.exchange == exchange }
        if let id = exchanges.removeValue(forKey: exchange) { return abandon(id) }
        return unlisten(exchange)
    }

    /// Takes a call back from the gateway.
    mutating func abandon(_ id: RPC.ID) -> [Action] {
        guard let call = calls.removeValue(forKey: id) else { return [] }
        if let exchange = call.exchange { exchanges[exchange] = nil }
        let params = RawJSON(object: [("requestId", id.json)])
        let taken = Action.send(.notification(RPC.Notification(method: "notifications/cancelled", params: params)))
        guard let task = call.task else { return [taken] }
        return [taken, .send(.request(RPC.Request(id: makeID(), method: "tasks/cancel", params: task)))]
    }

    /// Nobody has come back for a parked call in time.
    package mutating func expired(_ id: RPC.ID) -> [Action] {
        guard let call = calls[id], call.exchange == nil else { return [] }
        return abandon(id) + [
            .log("a \(call.request.method) that waited for input was given up: nobody came back for it")
        ]
    }

    /// A message of the gateway's.
    ///
    /// - Parameter related: the call it belongs to, where that is known.
    package mutating func heard(_ message: RPC.Message, relatedTo related: RPC.ID? = nil, now: Int64) -> [Action] {
        switch message {
        case .response(let response): answered(response, now: now)
        case .request(let request): asked(request, related, now: now)
        case .notification(let notification): heard(notification, related)
        }
    }

    private mutating func answered(_ response: RPC.Response, now: Int64) -> [Action] {
        guard let id = response.id else { return [] }
        if case .opening(id) = phase { return opened(response.outcome, now: now) }
        if let actions = subscribed(id, response.outcome) { return actions }
        return finished(id, response.outcome, now: now)
    }

    private mutating func opened(_ outcome: Result<RawJSON, RPC.Error>, now: Int64) -> [Action] {
        defer { queue = [] }
        switch outcome {
        case .failure(let error):
            phase = .new
            return queue.map { .reply($0.exchange, .failure(error)) }
        case .success(let result):
            phase = .open(result)
            var actions: [Action] = [.send(.notification(RPC.Notification(method: "notifications/initialized")))]
            for pending in queue { actions += start(pending, now: now) }
            return actions
        }
    }

    /// The gateway is going away: every request gets an answer, every subscription its end.
    package mutating func close(_ error: RPC.Error) -> [Action] {
        let ends = listens.map { exchange, listen -> Action in .reply(exchange, .success(end(of: listen))) }
        let open = calls.values.compactMap { $0.exchange } + queue.map(\.exchange)
        (calls, listens, queue, exchanges, phase) = ([:], [:], [], [:], .new)
        return ends + open.map { .reply($0, .failure(error)) }
    }

    var server: RawJSON {
        guard case .open(let result) = phase else { return RawJSON([:]) }
        return result["serverInfo"] ?? RawJSON([:])
    }

    var capabilities: RawJSON {
        guard case .open(let result) = phase else { return RawJSON([:]) }
        return result["capabilities"] ?? RawJSON([:])
    }

    private var discovery: RawJSON {
        guard case .open(let result) = phase else { return RawJSON([:]) }
        var members: [(name: String, value: RawJSON)] = [
            ("supportedVersions", RawJSON(.array(Revision.modern.map { .string($0.rawValue) }))),
            // Tasks of the handshake era are another protocol.
            ("capabilities", capabilities.removing(["tasks"])),
        ]
        if let instructions = result["instructions"] { members.append(("instructions", instructions)) }
        return ModernResult.complete(RawJSON(object: members), of: "server/discover", server: server)
    }
}
