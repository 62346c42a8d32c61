internal import Core
internal import DockerEngine
internal import MCP
internal import MCPHTTP
internal import Synchronization
internal import Toolkit

/// One server: its container, started, watched, started again when it dies, stopped when idle, and removed.
final class Upstream: Sendable {
    let server: Server
    /// Whether several clients use it, who must not read each other's traces in its last words.
    private let isShared: Bool
    private let launch: ContainerLaunch
    /// nil where the server runs beside the gateway and is only connected to.
    private let engine: Engine?
    private let onEvent: @Sendable (GatewayEvent) async -> Void
    private let onNotification: @Sendable (RPC.Notification) async -> Void
    private let onTools: @Sendable () -> Void
    private let state = Mutex(UpstreamState(now: .now))
    /// Fulfilled when the server has been ready, or has failed, for the first time.
    private let settled = Promise<Void>()
    private let wake = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    private let complaints = StandardErrorTail()

    /// How one life of the server ended.
    private enum End {
        case idle
        case died(Failure)
        case cancelled
    }

    init(
        server: Server, settings: GatewaySettings, owner: String, engine: Engine?, isShared: Bool = false,
        onEvent: @escaping @Sendable (GatewayEvent) async -> Void,
        onNotification: @escaping @Sendable (RPC.Notification) async -> Void, onTools: @escaping @Sendable () -> Void
    ) {
        self.server = server
        self.isShared = isShared
        self.engine = engine
        self.onEvent = onEvent
        self.onNotification = onNotification
        self.onTools = onTools
        launch = ContainerLaunch(server: server, settings: settings, owner: owner)
    }

    /// The tools the server listed last, those that are not to be seen left out; none before it was ready.
    var tools: [Tool] {
        (state.withLock { $0.tools } ?? []).filter { launch.settings.filter.allows($0.name, of: server) }
    }

    /// Waits until the server has been ready for the first time.
    ///
    /// - Throws: why it could not be started.
    func waitUntilSettled() async throws { try await settled.value }

    /// Uses the session, waiting for the server where it is being started.
    ///
    /// - Throws: what `body` throws; why the server is not there.
    func use<R: Sendable>(_ body: @Sendable (Client) async throws -> R) async throws -> R {
        let (session, wakes) = state.withLock { $0.want(now: .now) }
        if wakes { wake.continuation.yield() }
        defer { state.withLock { $0.done(now: .now) } }
        let client = try await session.value
        do {
            return try await body(client)
        } catch let error as RPC.Error {
            throw error
        } catch let error as CancellationError {
            throw error
        } catch {
            throw await explained(error)
        }
    }

    /// Runs the server until the surrounding task is cancelled; leaves no container behind.
    func run() async {
        var backoff = Backoff()
        for warning in engine == nil || server.remote != nil ? [] : launch.warnings { await onEvent(.warning(warning)) }
        while !Task.isCancelled {
            let start = ContinuousClock.now
            switch await live() {
            case .cancelled: break
            case .idle:
                await onEvent(.idle(server: server.name))
                for await _ in wake.stream { break }
                continue
            case .died(let failure):
                await onEvent(.failed(server: server.name, reason: failure.description))
                let isFinal = Self.isFinal(failure)
                let session = state.withLock { $0.ended(isFinal ? .failed : .starting) }
                session.fulfil(.failure(failure))
                settled.fulfil(.failure(failure))
                if isFinal { return }
                let pause = backoff.pause(afterLiving: ContinuousClock.now - start)
                await onEvent(.restarting(server: server.name, after: pause))
                try? await Task.sleep(for: pause)
                continue
            }
            break
        }
        let closing = Failure(.cancelled, "the gateway is closing")
        state.withLock { $0.ended(.failed) }.fulfil(.failure(closing))
        settled.fulfil(.failure(closing))
    }

    /// What trying again cannot mend.
    private static func isFinal(_ failure: Failure) -> Bool {
        [.invalidArgument, .notFound, .unsupported, .forbidden, .unauthorized].contains(failure.code)
    }

    /// One life, from the container's creation to its removal.
    private func live() async -> End {
        let start = ContinuousClock.now
        do {
            if let remote = server.remote {
                try await reach(remote, since: start)
            } else if let engine {
                try await runContainer(engine, since: start)
            } else {
                try await serve(over: SiblingTransport(host: "mcp-\(server.name)"), since: start)
            }
            return Task.isCancelled ? .cancelled : .idle
        } catch {
            return Task.isCancelled ? .cancelled : .died(await explained(error))
        }
    }

    private func reach(_ remote: Server.Remote, since start: ContinuousClock.Instant) async throws {
        let remote = try RemoteLaunch(server: server, remote: remote, settings: launch.settings)
        for warning in remote.warnings { await onEvent(.warning(warning)) }
        try await RemoteConnector(remote.endpoint).connect(onProgress: { _ in }) { transport in
            try await self.serve(over: transport, since: start)
        }
    }

    private func runContainer(_ engine: Engine, since start: ContinuousClock.Instant) async throws {
        let spec = try launch.spec()
        try await requireOwnNetwork(spec.networkMode ?? "", engine)
        await complaints.clear()
        try await makeImageAvailable(spec.image, engine)
        try await withContainer(spec, named: launch.containerName, engine) { id in
            try await engine.withAttached(id) { attachment in
                try await engine.startContainer(id)
                await self.onEvent(
                    .started(
                        server: self.server.name, container: id, limits: self.launch.limits(spec),
                        took: ContinuousClock.now - start))
                let transport = AttachmentTransport(attachment) { line in
                    await self.complaints.append(line)
                    await self.onEvent(.log(server: self.server.name, line: line))
                }
                try await self.serve(over: transport, since: start)
            }
        }
    }

    /// Adds what the server said last to an error, where its session broke.
    private func explained(_ error: any Error) async -> Failure {
        let failure = Failure.wrapping(error, "the MCP server \(server.name)")
        guard !isShared, failure.code == .unavailable || failure.code == .timedOut, let tail = await complaints.text,
            !failure.message.contains("its last words")
        else { return failure }
        return Failure(failure.code, "\(failure.message); its last words: \(tail)", cause: failure.cause)
    }

    private func serve(over transport: some Transport, since start: ContinuousClock.Instant) async throws {
        let changes = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let handler = UpstreamHandler(
            forward: onNotification, onListChanged: { changes.continuation.yield() })
        try await Peer.run(over: transport, handler: handler) { peer in
            let limit = self.launch.settings.startLimit
            let (client, tools) = try await withDeadline(limit, "did not answer within \(limit)") {
                let client = try await Client(over: peer, name: "docker-mcp-gateway", version: WharfVersion.current)
                return (client, try await client.tools())
            }
            self.state.withLock {
                $0.becameReady(tools, now: .now)
                return $0.session
            }.fulfil(.success(client))
            self.settled.fulfil(.success(()))
            self.onTools()
            await self.onEvent(
                .ready(server: self.server.name, tools: tools.count, took: ContinuousClock.now - start))
            try await self.untilIdle(client, changes.stream)
        }
    }

    /// Waits until nobody has used the session for long; lists the tools again when the server says they have changed.
    private func untilIdle(_ client: Client, _ changes: AsyncStream<Void>) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in changes {
                    let tools = try await client.tools()
                    self.state.withLock { $0.listed(tools) }
                    self.onTools()
                }
            }
            group.addTask {
                guard let limit = self.launch.idleTimeout else { return await untilCancelled() }
                while let rest = self.state.withLock({ $0.stopIfIdle(for: limit, now: .now) }) {
                    try await Task.sleep(for: rest)
                }
            }
            defer { group.cancelAll() }
            try await group.next()
        }
        // The session broke; that is no idleness.
        try Task.checkCancellation()
    }

    /// Makes the container, and removes it whatever happens, also where the task was cancelled.
    private func withContainer(
        _ spec: ContainerSpec, named name: String, _ engine: Engine,
        _ body: @escaping @Sendable (String) async throws -> Void
    ) async throws {
        // Not cancellable half-way: a container that was made but whose id nobody learnt would stay.
        let made = await shielded { await Result { try await engine.createContainer(spec, name: name) } }
        let id = try made.get()
        let outcome = await Result { try await body(id) }
        await shielded { try? await engine.removeContainer(id, force: true) }
        await onEvent(.removed(server: server.name, container: id))
        try outcome.get()
    }

    /// The network of a container may be that of yet another one, and in the end the machine's own.
    private func requireOwnNetwork(_ mode: String, _ engine: Engine) async throws {
        var mode = mode
        for _ in 0..<8 where mode.hasPrefix("container:") {
            let found = try await engine.inspectContainer(String(mode.dropFirst("container:".count)))
            mode = found["HostConfig"]?["NetworkMode"]?.string ?? ""
        }
        guard mode != "host", !mode.hasPrefix("container:") else {
            throw Failure(
                .forbidden, "the network it was granted is the machine's own", advice: "Grant another network.")
        }
    }

    private func makeImageAvailable(_ image: String, _ engine: Engine) async throws {
        if try await engine.imageExists(image) { return }
        do { try await engine.pullImage(image) { _ in } } catch {
            throw Failure(
                .notFound, "its image \(image) is not on this machine and cannot be pulled", cause: error,
                advice: "Check the image's name in the catalog, or build it.")
        }
    }
}

extension Result where Failure == any Error {
    init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}

/// What a server may ask of its gateway: so far only `ping`.
private struct UpstreamHandler: Peer.Handler {
    let forward: @Sendable (RPC.Notification) async -> Void
    let onListChanged: @Sendable () -> Void

    func admit(_ request: RPC.Request) throws(RPC.Error) -> RawJSON? {
        guard request.method == "ping" else { throw .methodNotFound(request.method) }
        return RawJSON([:])
    }

    func respond(to request: RPC.Request, from peer: Peer) async throws -> RawJSON {
        throw RPC.Error.methodNotFound(request.method)
    }

    func receive(_ notification: RPC.Notification, from peer: Peer) async {
        if notification.method == "notifications/tools/list_changed" { return onListChanged() }
        await forward(notification)
    }
}

/// The last lines a server wrote on stderr, bounded.
private actor StandardErrorTail {
    private var lines: [String] = []

    func append(_ line: String) {
        lines.append(String(line.prefix(500)))
        if lines.count > 5 { lines.removeFirst() }
    }

    func clear() { lines = [] }

    var text: String? { lines.isEmpty ? nil : lines.joined(separator: " | ") }
}
