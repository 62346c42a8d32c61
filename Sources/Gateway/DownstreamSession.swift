package import Core
package import DockerEngine
package import MCP
internal import Synchronization
package import Toolkit

/// One AI client's session with the gateway.
package final class DownstreamSession: Peer.Handler {
    private let lifecycle: Mutex<ServerLifecycle>
    private let gateway: Gateway

    package init(_ gateway: Gateway) {
        self.gateway = gateway
        lifecycle = Mutex(
            ServerLifecycle(
                .init(
                    name: "Wharf MCP Gateway", version: WharfVersion.current,
                    capabilities: ["tools": ["listChanged": true]])))
    }

    package func admit(_ request: RPC.Request) throws(RPC.Error) -> RawJSON? {
        try lifecycle.withLock { lifecycle throws(RPC.Error) in try lifecycle.step(request) }
    }

    package func respond(to request: RPC.Request, from peer: Peer) async throws -> RawJSON {
        switch request.method {
        case "tools/list":
            return RawJSON(["tools": .array(try await gateway.surface().tools.map { try $0.definition.parsed() })])
        case "tools/call":
            guard let params = request.params, let name = (try? params["name"]?.parsed())?.string else {
                throw RPC.Error.invalidParams("tools/call without a name")
            }
            return try await gateway.call(name, params: params)
        default: throw RPC.Error.methodNotFound(request.method)
        }
    }

    package func receive(_ notification: RPC.Notification, from peer: Peer) async {}

    private static let forwarded = [
        "notifications/progress", "notifications/message", "notifications/tools/list_changed",
    ]

    /// Serves one client over a transport, with the servers started beside it, until the client leaves.
    package static func serve(
        servers: [Server], shared: SharedServers? = nil, settings: GatewaySettings = GatewaySettings(),
        engine: Engine?,
        over transport: some Transport,
        onEvent: @escaping @Sendable (GatewayEvent) async -> Void
    ) async throws {
        let client = Promise<Peer>()
        try await Gateway.run(
            servers: servers, shared: shared, settings: settings, engine: engine, onEvent: onEvent,
            onNotification: { notification in
                // Progress and log messages of a server, and our own word of a changed list; anything else a server
                // says is between it and us.
                guard Self.forwarded.contains(notification.method),
                    case .success(let peer)? = client.current
                else { return }
                try? await peer.notify(notification.method, notification.params)
            },
            { gateway in
                try await withThrowingTaskGroup(of: Bool.self) { group in
                    group.addTask {
                        try await Peer.serve(over: transport, handler: DownstreamSession(gateway)) { peer in
                            client.fulfil(.success(peer))
                        }
                        return true
                    }
                    // A gateway none of whose servers can be started is of no use: say why and end.
                    group.addTask {
                        try await gateway.waitUntilReady()
                        return false
                    }
                    defer { group.cancelAll() }
                    while let clientLeft = try await group.next() { if clientLeft { return } }
                }
            })
    }
}
