package import Core
package import MCP

/// A modern server as the gateway knows servers: with a handshake, requests both ways, subscriptions and a log level.
///
/// A value: messages and the passing of time in, what is to be done about them out. Requests that carry an envelope of
/// their own come from a modern client and go through as they are, and so do their results.
package struct ModernServer: Sendable {
    package enum Action: Sendable {
        /// To the gateway.
        case deliver(RPC.Message)
        /// To the server; its answer comes back under this request's id.
        case send(RPC.Message)
        /// A request of ours to the server is not wanted any more.
        case cancel(RPC.ID)
        /// Call `elapsed` after so long.
        case wait(Duration, Timer)
        case log(String)
    }

    package enum Timer: Sendable, Hashable {
        /// A call whose server gave nothing but a state is asked again.
        case again(RPC.ID)
        case poll(RPC.ID)
        case listen
    }

    /// What a client of the handshake era said of itself when it initialized.
    struct Client: Sendable {
        var capabilities = RawJSON([:])
        var info: RawJSON?
    }

    let revision: Revision
    private let discovery: RawJSON
    /// Whether the transport tells which request a message belongs to.
    private let isRelated: Bool
    var client = Client()
    var level: LogLevel?
    var calls: [RPC.ID: Call] = [:]
    /// By the gateway's id.
    var current: [RPC.ID: RPC.ID] = [:]
    /// What the gateway has been asked, and for which call.
    var asks: [RPC.ID: (call: RPC.ID, key: String)] = [:]
    var listening = Listening()
    private var next = 1

    /// - Parameter discovery: the server's answer to `server/discover`.
    package init(revision: Revision, discovery: RawJSON, isRelated: Bool = false) {
        self.revision = revision
        self.isRelated = isRelated
        self.discovery = discovery
    }

    var capabilities: RawJSON { discovery["capabilities"] ?? RawJSON([:]) }

    mutating func makeID() -> RPC.ID {
        defer { next += 1 }
        return RPC.ID("w\(next)")
    }

    /// A message of the gateway's.
    package mutating func receive(_ message: RPC.Message) -> [Action] {
        switch message {
        case .request(let request): receive(request)
        case .notification(let notification): receive(notification)
        case .response(let response): answered(response)
        }
    }

    /// A message of the server's.
    package mutating func heard(_ message: RPC.Message) -> [Action] {
        switch message {
        case .response(let response): finished(response)
        case .notification(let notification): heard(notification)
        case .request(let request):
            // There are none in this protocol; saying so costs nothing.
            [
                .send(.response(RPC.Response(id: request.id, outcome: .failure(.methodNotFound(request.method))))),
                .log("the server sent the request \(request.method.prefix(64)), which its protocol does not have"),
            ]
        }
    }

    package mutating func elapsed(_ timer: Timer) -> [Action] {
        switch timer {
        case .again(let id): again(id)
        case .poll(let id): poll(id)
        case .listen: listen()
        }
    }

    static func reply(_ id: RPC.ID, _ result: RawJSON) -> Action {
        .deliver(.response(RPC.Response(id: id, outcome: .success(result))))
    }

    static func reply(_ id: RPC.ID, _ error: RPC.Error) -> Action {
        .deliver(.response(RPC.Response(id: id, outcome: .failure(error))))
    }

    private mutating func receive(_ request: RPC.Request) -> [Action] {
        switch request.method {
        case "initialize":
            client.capabilities = Self.modern(request.params?["capabilities"])
            client.info = request.params?["clientInfo"]
            return [Self.reply(request.id, initializeResult)]
        case "ping": return [Self.reply(request.id, RawJSON([:]))]
        case "logging/setLevel":
            guard let level = LogLevel(of: request.params) else {
                return [Self.reply(request.id, .invalidParams("the level is none of syslog's eight"))]
            }
            self.level = level
            return [Self.reply(request.id, RawJSON([:]))]
        case "resources/subscribe", "tasks/subscribe": return subscribe(request)
        case "resources/unsubscribe", "tasks/unsubscribe": return unsubscribe(request)
        default: return call(request)
        }
    }

    private mutating func receive(_ notification: RPC.Notification) -> [Action] {
        switch notification.method {
        case "notifications/initialized": listen()
        case "notifications/cancelled":
            notification.params?["requestId"].flatMap(RPC.ID.init).map { cancelled($0) } ?? []
        // Roots are asked for when they are needed; the rest has no counterpart.
        default: []
        }
    }

    private mutating func heard(_ notification: RPC.Notification) -> [Action] {
        let params = notification.params
        switch notification.method {
        case "notifications/progress": return [.deliver(.notification(notification))]
        case "notifications/message":
            let call = isRelated ? CallTag.read(params).flatMap { calls[$0] } : nil
            let tagged = CallTag.write(call?.request.id, into: params)
            return [.deliver(.notification(RPC.Notification(method: notification.method, params: tagged)))]
        case "notifications/subscriptions/acknowledged": return acknowledged(params)
        case "notifications/cancelled":
            // A server takes nothing back but a subscription.
            return params?["requestId"].flatMap(RPC.ID.init) == listening.id ? lost() : []
        case "notifications/tools/list_changed", "notifications/prompts/list_changed",
            "notifications/resources/list_changed", "notifications/resources/updated", "notifications/tasks":
            let plain = params.map { Self.withoutSubscription($0) }
            return [.deliver(.notification(RPC.Notification(method: notification.method, params: plain)))]
        default: return []
        }
    }

    private static func withoutSubscription(_ params: RawJSON) -> RawJSON {
        guard let meta = params["_meta"] else { return params }
        let rest = meta.removing([Envelope.subscriptionKey])
        return rest.members().isEmpty ? params.removing(["_meta"]) : params.replacing("_meta", with: rest)
    }

    private var initializeResult: RawJSON {
        var members: [(name: String, value: RawJSON)] = [
            ("protocolVersion", RawJSON(.string(ProtocolVersion.latest.rawValue))), ("capabilities", capabilities),
            ("serverInfo", discovery["_meta"]?[Envelope.serverKey] ?? RawJSON(["name": "unknown", "version": "0"])),
        ]
        if let instructions = discovery["instructions"] { members.append(("instructions", instructions)) }
        return RawJSON(object: members)
    }

    /// Capabilities as a modern request declares them.
    private static func modern(_ capabilities: RawJSON?) -> RawJSON {
        guard let capabilities, capabilities.isObject else { return RawJSON([:]) }
        return capabilities.removing(["tasks"])
    }
}
