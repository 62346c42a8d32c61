internal import Core
package import DockerEngine
internal import MCP
internal import Synchronization
package import Toolkit

/// Servers that say they remember nothing of their clients: one container of each serves all sessions of a gateway.
///
/// Progress is told to the session whose call it belongs to. Log messages belong to nobody in particular and are not
/// passed on.
package final class SharedServers: Sendable {
    /// One session that uses them.
    struct Subscriber: Sendable {
        let onTools: @Sendable () -> Void
        /// Must not wait: one session that does not listen would stop the server for all.
        let onNotification: @Sendable (RPC.Notification) -> Void
    }

    private struct State {
        var subscribers: [Int: Subscriber] = [:]
        /// Calls that asked for progress: whose they are, and the token they asked with.
        var calls: [String: (subscriber: Int, token: RawJSON)] = [:]
        var next = 0

        mutating func number() -> Int {
            next += 1
            return next
        }
    }

    private let state = Mutex(State())
    private let upstreams = Promise<[Upstream]>()

    private init() {}

    /// Runs those of the servers that can be shared beside `body`; their containers are removed when it ends.
    package static func run<R: Sendable>(
        servers: [Server], settings: GatewaySettings, engine: Engine?,
        onEvent: @escaping @Sendable (GatewayEvent) async -> Void,
        _ body: @escaping @Sendable (SharedServers) async throws -> R
    ) async throws -> R {
        let shared = SharedServers()
        let owner = Owner.make()
        let upstreams = servers.filter(\.isStateless).map { server in
            Upstream(
                server: server, settings: settings, owner: owner, engine: engine, isShared: true, onEvent: onEvent,
                onNotification: { shared.pass($0) }, onTools: { shared.toolsChanged() })
        }
        shared.upstreams.fulfil(.success(upstreams))
        return try await withThrowingTaskGroup(of: R?.self) { group in
            if let engine {
                group.addTask {
                    await Owner.sweep(engine, onEvent)
                    return nil
                }
            }
            for upstream in upstreams {
                group.addTask {
                    await upstream.run()
                    return nil
                }
            }
            group.addTask { try await body(shared) }
            defer { group.cancelAll() }
            while let finished = try await group.next() { if let result = finished { return result } }
            throw CancellationError()
        }
    }

    func upstream(_ server: String) -> Upstream? {
        guard case .success(let upstreams)? = upstreams.current else { return nil }
        return upstreams.first { $0.server.name == server }
    }

    /// - Returns: what to give to `leave`, and to calls.
    func join(_ subscriber: Subscriber) -> Int {
        state.withLock { state in
            let number = state.number()
            state.subscribers[number] = subscriber
            return number
        }
    }

    func leave(_ number: Int) {
        state.withLock { state in
            state.subscribers[number] = nil
            state.calls = state.calls.filter { $0.value.subscriber != number }
        }
    }

    /// Sessions choose their tokens without knowing of each other, so each call gets one of its own while it lasts.
    func withOwnToken<R>(
        _ params: RawJSON, of subscriber: Int, _ body: (RawJSON) async throws -> R
    ) async throws -> R {
        guard let meta = params["_meta"], let token = meta["progressToken"], token.text != "null" else {
            return try await body(params)
        }
        let own = state.withLock { state in
            let own = "w\(state.number())"
            state.calls[own] = (subscriber, token)
            return own
        }
        defer { state.withLock { _ = $0.calls.removeValue(forKey: own) } }
        let renamed = meta.replacing("progressToken", with: RawJSON(.string(own)))
        return try await body(params.replacing("_meta", with: renamed))
    }

    func pass(_ notification: RPC.Notification) {
        guard notification.method == "notifications/progress", let params = notification.params,
            let own = (try? params["progressToken"]?.parsed())?.string
        else { return }
        let found = state.withLock { state in
            state.calls[own].flatMap { call in state.subscribers[call.subscriber].map { ($0, call.token) } }
        }
        guard let (subscriber, token) = found else { return }
        subscriber.onNotification(
            RPC.Notification(method: notification.method, params: params.replacing("progressToken", with: token)))
    }

    private func toolsChanged() {
        for subscriber in state.withLock({ Array($0.subscribers.values) }) { subscriber.onTools() }
    }
}
