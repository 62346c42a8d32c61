internal import Core
internal import DockerEngine
internal import MCP
internal import Toolkit

/// One server in one container, from its start to its removal, and the session with it.
final class Upstream: Sendable {
    static let startLimit = Duration.seconds(60)

    let server: Server
    private let launch: ContainerLaunch
    private let engine: Engine
    private let onEvent: @Sendable (GatewayEvent) async -> Void
    private let onNotification: @Sendable (RPC.Notification) async -> Void
    private let session = Promise<Session>()
    private let complaints = StandardErrorTail()

    struct Session: Sendable {
        let client: Client
        let tools: [Tool]
    }

    init(
        server: Server, owner: String, engine: Engine, onEvent: @escaping @Sendable (GatewayEvent) async -> Void,
        onNotification: @escaping @Sendable (RPC.Notification) async -> Void
    ) {
        self.server = server
        self.engine = engine
        self.onEvent = onEvent
        self.onNotification = onNotification
        launch = ContainerLaunch(server: server, owner: owner)
    }

    /// The session, once the server is ready.
    ///
    /// - Throws: why it could not be started.
    var ready: Session { get async throws { try await session.value } }

    /// Runs the server until the surrounding task is cancelled or the server ends; leaves no container behind.
    func run() async {
        let start = ContinuousClock.now
        do {
            let spec = try launch.spec()
            try await makeImageAvailable(spec.image)
            let name = launch.containerName
            let container = try await withContainer(spec, named: name) { id in
                try await self.engine.withAttached(id) { attachment in
                    try await self.engine.startContainer(id)
                    await self.onEvent(
                        .started(
                            server: self.server.name, container: id, limits: self.launch.limits,
                            took: ContinuousClock.now - start))
                    try await self.serve(attachment, since: start)
                }
            }
            await onEvent(.removed(server: server.name, container: container))
            session.fulfil(.failure(Failure(.cancelled, "the gateway is closing")))
        } catch {
            let failure = await explained(error)
            session.fulfil(.failure(failure))
            if !Task.isCancelled { await onEvent(.failed(server: server.name, reason: failure.description)) }
        }
    }

    /// Adds what the server said last to the error of a call, where its session broke.
    func explained(_ error: any Error) async -> Failure {
        let failure = Failure.wrapping(error, "the MCP server \(server.name)")
        guard failure.code == .unavailable, let tail = await complaints.text else { return failure }
        return Failure(failure.code, "\(failure.message); its last words: \(tail)", cause: failure.cause)
    }

    private func serve(_ attachment: Attachment, since start: ContinuousClock.Instant) async throws {
        let transport = AttachmentTransport(attachment) { line in
            await self.complaints.append(line)
            await self.onEvent(.log(server: self.server.name, line: line))
        }
        try await Peer.run(over: transport, handler: UpstreamHandler(forward: onNotification)) { peer in
            let ready = try await withDeadline(Self.startLimit, "did not answer within \(Self.startLimit)") {
                let client = try await Client(over: peer, name: "docker-mcp-gateway", version: WharfVersion.current)
                return Session(client: client, tools: try await client.tools())
            }
            self.session.fulfil(.success(ready))
            await self.onEvent(
                .ready(server: self.server.name, tools: ready.tools.count, took: ContinuousClock.now - start))
            await untilCancelled()
        }
    }

    /// Makes the container, and removes it whatever happens, also where the task was cancelled.
    private func withContainer(
        _ spec: ContainerSpec, named name: String, _ body: @escaping @Sendable (String) async throws -> Void
    ) async throws -> String {
        // Not cancellable half-way: a container that was made but whose id nobody learnt would stay.
        let made = await shielded { [engine] in await Result { try await engine.createContainer(spec, name: name) } }
        let id = try made.get()
        let outcome = await Result { try await body(id) }
        await shielded { [engine] in try? await engine.removeContainer(id, force: true) }
        if case .failure(let error) = outcome, !(error is CancellationError && Task.isCancelled) { throw error }
        return id
    }

    private func makeImageAvailable(_ image: String) async throws {
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

    func admit(_ request: RPC.Request) throws(RPC.Error) -> RawJSON? {
        guard request.method == "ping" else { throw .methodNotFound(request.method) }
        return RawJSON([:])
    }

    func respond(to request: RPC.Request, from peer: Peer) async throws -> RawJSON {
        throw RPC.Error.methodNotFound(request.method)
    }

    func receive(_ notification: RPC.Notification, from peer: Peer) async { await forward(notification) }
}

/// The last lines a server wrote on stderr, bounded.
private actor StandardErrorTail {
    private var lines: [String] = []

    func append(_ line: String) {
        lines.append(String(line.prefix(500)))
        if lines.count > 5 { lines.removeFirst() }
    }

    var text: String? { lines.isEmpty ? nil : lines.joined(separator: " | ") }
}
