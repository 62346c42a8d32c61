import Core
import MCP
import NIOCore
import Synchronization
import TestSupport
import Testing
import Toolkit

@testable import Gateway

/// An MCP server that does what a test says, and remembers what it was asked.
final class ScriptedMCP: Peer.Handler {
    typealias Answer = @Sendable (RPC.Request, Peer) async throws -> RawJSON

    private struct State {
        var requests: [RPC.Request] = []
        var notifications: [RPC.Notification] = []
        var answers: [String: Answer]
    }

    let capabilities: String
    private let state: Mutex<State>
    private let instructions: String?
    /// Whether it never answers the handshake.
    private let isMute: Bool

    init(
        capabilities: String = #"{"tools":{"listChanged":true}}"#, instructions: String? = nil, isMute: Bool = false,
        tools: [String] = [], _ answers: [String: Answer] = [:]
    ) {
        self.capabilities = capabilities
        self.instructions = instructions
        self.isMute = isMute
        var answers = answers
        if answers["tools/list"] == nil {
            let list = tools.map { #"{"name":"\#($0)","inputSchema":{"type":"object"}}"# }.joined(separator: ",")
            answers["tools/list"] = { _, _ in raw(#"{"tools":[\#(list)]}"#) }
        }
        state = Mutex(State(answers: answers))
    }

    func answer(_ method: String, _ answer: @escaping Answer) { state.withLock { $0.answers[method] = answer } }
    var requests: [RPC.Request] { state.withLock { $0.requests } }
    var notifications: [RPC.Notification] { state.withLock { $0.notifications } }
    func asked(_ method: String) -> [RPC.Request] { requests.filter { $0.method == method } }

    func admit(_ request: RPC.Request, from peer: Peer) throws(RPC.Error) -> Peer.Admission {
        state.withLock { $0.requests.append(request) }
        guard request.method == "initialize" else { return .respond }
        if isMute { return .respond }
        let instructions = instructions.map { #","instructions":"\#($0)""# } ?? ""
        return .answer(
            raw(
                #"{"protocolVersion":"2025-11-25","capabilities":\#(capabilities),"serverInfo":{"name":"s"}\#(instructions)}"#
            ))
    }

    func respond(to request: RPC.Request, from peer: Peer) async throws -> RawJSON {
        if request.method == "initialize" {
            await untilCancelled()
            throw CancellationError()
        }
        guard let answer = state.withLock({ $0.answers[request.method] }) else {
            throw RPC.Error.methodNotFound(request.method)
        }
        return try await answer(request, peer)
    }

    func receive(_ notification: RPC.Notification, from peer: Peer) async {
        state.withLock { $0.notifications.append(notification) }
    }
}

/// Reaches a scripted server in this process, anew each time; one that was reached can be cut off.
final class ScriptedConnector: Connector {
    private struct State {
        var peers: [Peer] = []
        var transports: [MemoryTransport] = []
        var failure: Failure?
    }

    let server: ScriptedMCP
    private let state = Mutex(State())

    init(_ server: ScriptedMCP, failing failure: Failure? = nil) {
        self.server = server
        state.withLock { $0.failure = failure }
    }

    var starts: Int { state.withLock { $0.transports.count } }
    /// The server's end of the connection there is.
    var peer: Peer? { state.withLock { $0.peers.last } }
    /// From now on it can be reached.
    func mend() { state.withLock { $0.failure = nil } }
    /// The server dies.
    func kill() { state.withLock { $0.transports.last }?.finish() }
    /// Says something that is no message of the protocol's.
    func babble(_ text: String) async { await state.withLock { $0.transports.last }?.send(text) }

    func connect<R: Sendable>(
        onProgress: @escaping @Sendable (ConnectionStep) async -> Void,
        _ body: @escaping @Sendable (any Transport) async throws -> R
    ) async throws -> R {
        if let failure = state.withLock({ $0.failure }) { throw failure }
        let (near, far) = MemoryTransport.pair()
        state.withLock { $0.transports.append(far) }
        await onProgress(.reached(place: "here", limits: ""))
        let serving = Task { [self] in
            try await Peer.serve(over: far, handler: server, patience: .zero) { peer in
                state.withLock { $0.peers.append(peer) }
            }
        }
        defer { serving.cancel() }
        return try await body(near)
    }
}

/// A client of the gateway as a test sees it.
final class TestClient: Peer.Handler {
    private let told = Mutex<[RPC.Notification]>([])
    private let asked = Mutex<[RPC.Request]>([])
    private let answers: [String: ScriptedMCP.Answer]

    init(_ answers: [String: ScriptedMCP.Answer] = [:]) { self.answers = answers }

    var notifications: [RPC.Notification] { told.withLock { $0 } }
    func told(_ method: String) -> [RPC.Notification] { notifications.filter { $0.method == method } }
    var requests: [RPC.Request] { asked.withLock { $0 } }

    func admit(_ request: RPC.Request, from peer: Peer) throws(RPC.Error) -> Peer.Admission {
        asked.withLock { $0.append(request) }
        return .respond
    }

    func respond(to request: RPC.Request, from peer: Peer) async throws -> RawJSON {
        guard let answer = answers[request.method] else { throw RPC.Error.methodNotFound(request.method) }
        return try await answer(request, peer)
    }

    func receive(_ notification: RPC.Notification, from peer: Peer) async {
        told.withLock { $0.append(notification) }
    }
}

func raw(_ text: String) -> RawJSON {
    do { return try RawJSON(checking: ByteBuffer(string: text)) } catch { fatalError("\(error): \(text)") }
}

extension Peer {
    func ask(_ method: String, _ params: String? = nil) async throws -> String {
        try await request(method, params.map { raw($0) }).text
    }

    /// The code of the error that answers a request.
    func code(_ method: String, _ params: String? = nil) async -> Int? {
        do {
            _ = try await request(method, params.map { raw($0) })
            return nil
        } catch { return (error as? RPC.Error)?.code }
    }
}

/// Runs a gateway with scripted servers.
func withGateway<R: Sendable>(
    _ connectors: [(String, ScriptedConnector)], entries: [String: String] = [:],
    settings change: (inout GatewaySettings) -> Void = { _ in },
    onEvent: @escaping @Sendable (GatewayEvent) async -> Void = { _ in },
    _ body: @escaping @Sendable (Gateway) async throws -> R
) async throws -> R {
    var settings = GatewaySettings()
    change(&settings)
    let table = Dictionary(uniqueKeysWithValues: connectors)
    settings.connector = { table[$0.name] }
    return try await Gateway.run(
        servers: try servers(connectors.map(\.0), entries), settings: settings, engine: nil, onEvent: onEvent, body)
}

func servers(_ names: [String], _ entries: [String: String] = [:]) throws -> [Server] {
    let yaml = names.map { "  \($0): {image: i\(entries[$0].map { ", \($0)" } ?? "")}\n" }.joined()
    return try Catalog(parsing: ByteBuffer(string: "registry:\n\(yaml)"), source: "t").servers
}

extension Gateway {
    /// Connects a client that has done its handshake.
    func withClient<R: Sendable>(
        _ client: TestClient = TestClient(), version: String = "2025-11-25", capabilities: String = "{}",
        view: GatewayView = .all, _ body: @escaping @Sendable (Peer) async throws -> R
    ) async throws -> R {
        let (near, far) = MemoryTransport.pair()
        async let served: Void = serve(over: far, view: view)
        let result = try await Peer.run(over: near, handler: client) { peer in
            _ = try await peer.ask(
                "initialize",
                #"{"protocolVersion":"\#(version)","capabilities":\#(capabilities),"clientInfo":{"name":"test","version":"1"}}"#
            )
            peer.notify("notifications/initialized")
            return try await body(peer)
        }
        try await served
        return result
    }
}

/// Waits until something is so; a test's own time limit ends a wait for what never comes.
func until(_ isSo: @Sendable () async throws -> Bool) async throws {
    while !(try await isSo()) { try await Task.sleep(for: .milliseconds(2)) }
}
