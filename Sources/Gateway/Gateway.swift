package import Core
package import DockerEngine
package import MCP
internal import Synchronization
package import Toolkit

/// The chosen servers behind one list of tools: the gateway's behaviour, whatever transport clients use.
package final class Gateway: Sendable {
    private struct Listing: Sendable {
        var surface: Surface?
        /// Whether a client has seen it, so that it must be told when it changes.
        var isSeen = false
    }

    private let upstreams: [Upstream]
    /// Those that other gateways use too, and who we are to them.
    private let shared: (servers: SharedServers, subscriber: Int)?
    private let settings: GatewaySettings
    private let onEvent: @Sendable (GatewayEvent) async -> Void
    private let listing = Mutex(Listing())

    private init(
        upstreams: [Upstream], shared: (servers: SharedServers, subscriber: Int)?, settings: GatewaySettings,
        onEvent: @escaping @Sendable (GatewayEvent) async -> Void
    ) {
        self.upstreams = upstreams
        self.shared = shared
        self.settings = settings
        self.onEvent = onEvent
    }

    /// Starts the servers, all at once, and runs `body` beside them; when it ends, no container of theirs is left.
    ///
    /// - Parameters:
    ///   - shared: servers that run already and are only used.
    ///   - engine: nil where the servers run beside the gateway.
    ///   - onEvent: told of what happens; called from many tasks.
    ///   - onNotification: gets the servers' progress and log messages, and word of a changed list, for the client.
    ///   - body: may start asking at once; answers wait for the servers they need.
    package static func run<R: Sendable>(
        servers: [Server], shared: SharedServers? = nil, settings: GatewaySettings = GatewaySettings(),
        engine: Engine?, onEvent: @escaping @Sendable (GatewayEvent) async -> Void = { _ in },
        onNotification: @escaping @Sendable (RPC.Notification) async -> Void = { _ in },
        _ body: @escaping @Sendable (Gateway) async throws -> R
    ) async throws -> R {
        let owner = Owner.make()
        let changes = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let onTools: @Sendable () -> Void = { changes.continuation.yield() }
        // Progress of shared servers, of which a client that does not keep up misses some.
        let notes = AsyncStream.makeStream(of: RPC.Notification.self, bufferingPolicy: .bufferingNewest(64))
        let subscription = shared.map { shared in
            (servers: shared, subscriber: shared.join(.init(onTools: onTools) { notes.continuation.yield($0) }))
        }
        defer { subscription.map { $0.servers.leave($0.subscriber) } }
        var own: [Upstream] = []
        let upstreams = servers.map { server in
            if let upstream = shared?.upstream(server.name) { return upstream }
            let upstream = Upstream(
                server: server, settings: settings, owner: owner, engine: engine, onEvent: onEvent,
                onNotification: onNotification, onTools: onTools)
            own.append(upstream)
            return upstream
        }
        let gateway = Gateway(upstreams: upstreams, shared: subscription, settings: settings, onEvent: onEvent)
        return try await withThrowingTaskGroup(of: R?.self) { [own] group in
            // Where sessions share servers, that has been done once for all of them.
            if let engine, shared == nil {
                group.addTask {
                    await Owner.sweep(engine, onEvent)
                    return nil
                }
            }
            for upstream in own {
                group.addTask {
                    await upstream.run()
                    return nil
                }
            }
            group.addTask {
                for await note in notes.stream { await onNotification(note) }
                return nil
            }
            group.addTask {
                for await _ in changes.stream where gateway.refresh() {
                    await onNotification(RPC.Notification(method: "notifications/tools/list_changed"))
                }
                return nil
            }
            group.addTask { try await body(gateway) }
            defer { group.cancelAll() }
            while let finished = try await group.next() {
                if let result = finished { return result }
            }
            throw CancellationError()
        }
    }

    /// Waits until every server is ready or has failed.
    ///
    /// - Throws: `NoServerReady` when not one server is ready.
    package func waitUntilReady() async throws {
        var failures: [Failure] = []
        for upstream in upstreams {
            do { try await upstream.waitUntilSettled() } catch let failure as Failure { failures.append(failure) }
        }
        if !failures.isEmpty, failures.count == upstreams.count { throw NoServerReady(failures: failures) }
    }

    /// The tools of all servers. One that has failed is missing, and has been reported; one that takes long is missing
    /// so far, and clients are told when it comes.
    package func surface() async throws -> Surface {
        if let surface = listing.withLock({ $0.isSeen ? $0.surface : nil }) { return surface }
        do {
            try await withDeadline(settings.listPatience, "still starting") { [upstreams] in
                for upstream in upstreams {
                    do { try await upstream.waitUntilSettled() } catch is Failure { continue }
                }
            }
        } catch let failure as Failure where failure.code == .timedOut {}
        _ = refresh()
        return listing.withLock { listing in
            listing.isSeen = true
            return listing.surface ?? Surface([])
        }
    }

    /// Puts the list together again.
    ///
    /// - Returns: whether a client that has seen it must be told.
    private func refresh() -> Bool {
        let sources = upstreams.map {
            Surface.Source(server: $0.server.name, prefix: $0.server.prefix, tools: $0.tools)
        }
        return listing.withLock { listing in
            let surface = Surface(sources, keeping: listing.isSeen ? listing.surface : nil)
            let isChanged = surface.tools.map(\.definition) != listing.surface?.tools.map(\.definition)
            listing.surface = surface
            return isChanged && listing.isSeen
        }
    }

    /// Calls a tool by its exposed name.
    ///
    /// - Parameter params: those of `tools/call`; passed on but for the name.
    /// - Returns: the server's result, untouched.
    /// - Throws: `RPC.Error` of the server; `.notFound` for an unknown name; `.unavailable` when the server ended.
    package func call(_ name: String, params: RawJSON) async throws -> RawJSON {
        let surface = try await surface()
        guard let route = surface.route(name), let upstream = upstreams.first(where: { $0.server.name == route.server })
        else { throw Failure(.notFound, "Unknown tool: \(name)") }
        let start = ContinuousClock.now
        let own = route.tool == name ? params : params.replacing("name", with: RawJSON(.string(route.tool)))
        let result = try await call(upstream, params: own)
        let isError = (try? result["isError"]?.parsed())?.bool ?? false
        await onEvent(
            .called(server: route.server, tool: route.tool, took: ContinuousClock.now - start, isError: isError))
        return result
    }

    private func call(_ upstream: Upstream, params: RawJSON) async throws -> RawJSON {
        guard let shared, shared.servers.upstream(upstream.server.name) === upstream else {
            return try await upstream.use { try await $0.callTool(params) }
        }
        return try await shared.servers.withOwnToken(params, of: shared.subscriber) { params in
            try await upstream.use { try await $0.callTool(params) }
        }
    }
}

/// A gateway is of no use: none of its servers could be started. Each reason has been told as an event before.
package struct NoServerReady: Error, CustomStringConvertible {
    package let failures: [Failure]

    package var description: String { failures.map(\.description).joined(separator: "; ") }

    /// For whoever has shown the events.
    package var short: Failure {
        Failure(failures.first?.code ?? .unavailable, "no MCP server could be started")
    }
}
