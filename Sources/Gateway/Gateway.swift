package import Core
package import DockerEngine
package import MCP
internal import Synchronization
package import Toolkit

/// The chosen servers behind one list of tools: the gateway's behaviour, whatever transport clients use.
package final class Gateway: Sendable {
    private let upstreams: [Upstream]
    private let onEvent: @Sendable (GatewayEvent) async -> Void
    /// Made once, when every server is ready or has failed.
    private let merged = Mutex<Surface?>(nil)

    private init(upstreams: [Upstream], onEvent: @escaping @Sendable (GatewayEvent) async -> Void) {
        self.upstreams = upstreams
        self.onEvent = onEvent
    }

    /// Starts the servers, all at once, and runs `body` beside them; when it ends, no container of theirs is left.
    ///
    /// - Parameters:
    ///   - onEvent: told of what happens; called from many tasks.
    ///   - onNotification: gets progress and log messages of the servers, for the client.
    ///   - body: may start asking at once; answers wait for the servers they need.
    package static func run<R: Sendable>(
        servers: [Server], engine: Engine, onEvent: @escaping @Sendable (GatewayEvent) async -> Void = { _ in },
        onNotification: @escaping @Sendable (RPC.Notification) async -> Void = { _ in },
        _ body: @escaping @Sendable (Gateway) async throws -> R
    ) async throws -> R {
        let owner = "\(POSIX.processID)-\(Files.unique())"
        let upstreams = servers.map {
            Upstream(server: $0, owner: owner, engine: engine, onEvent: onEvent, onNotification: onNotification)
        }
        let gateway = Gateway(upstreams: upstreams, onEvent: onEvent)
        return try await withThrowingTaskGroup(of: R?.self) { group in
            for upstream in upstreams {
                group.addTask {
                    await upstream.run()
                    return nil
                }
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
    /// - Throws: the failures, when not one server is ready.
    package func waitUntilReady() async throws {
        var failures: [Failure] = []
        for upstream in upstreams {
            do { _ = try await upstream.ready } catch let failure as Failure { failures.append(failure) }
        }
        if let first = failures.first, failures.count == upstreams.count {
            guard failures.count > 1 else { throw first }
            throw Failure(first.code, failures.map(\.description).joined(separator: "; "))
        }
    }

    /// The tools of all servers that are ready; one that failed is missing, and has been reported.
    package func surface() async throws -> Surface {
        if let surface = merged.withLock({ $0 }) { return surface }
        var servers: [(name: String, tools: [Tool])] = []
        for upstream in upstreams {
            do {
                servers.append((upstream.server.name, try await upstream.ready.tools))
            } catch is Failure {
                continue
            }
        }
        let surface = Surface(servers)
        merged.withLock { $0 = surface }
        return surface
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
        let session = try await upstream.ready
        var params = params
        if route.tool != name { params = params.replacing("name", with: RawJSON(.string(route.tool))) }
        do {
            let result = try await session.client.callTool(params)
            let isError = (try? result["isError"]?.parsed())?.bool ?? false
            await onEvent(
                .called(server: route.server, tool: route.tool, took: ContinuousClock.now - start, isError: isError))
            return result
        } catch let error as RPC.Error {
            throw error
        } catch let error as CancellationError {
            throw error
        } catch {
            throw await upstream.explained(error)
        }
    }
}
