package import AsyncAlgorithms
internal import Core
package import MCP
package import NIOCore
internal import Synchronization

/// A server's pipe, whichever protocol the server speaks: to the gateway it is one of the handshake era.
///
/// The gateway's `initialize` starts the probing. A server of the handshake era then gets and gives its own messages;
/// only what modern clients put into requests is taken off.
package struct EraTransport: Transport {
    private let base: any Transport
    private let known: EraProbe.Verdict?
    private let onVerdict: @Sendable (EraProbe.Verdict) -> Void
    private let log: @Sendable (String) -> Void

    /// - Parameters:
    ///   - known: what was found out about the server before.
    ///   - onVerdict: told once what it is.
    package init(
        _ base: any Transport, known: EraProbe.Verdict?, log: @escaping @Sendable (String) -> Void,
        onVerdict: @escaping @Sendable (EraProbe.Verdict) -> Void
    ) {
        self.base = base
        self.known = known
        self.log = log
        self.onVerdict = onVerdict
    }

    package var sendsRequestsSideBySide: Bool { base.sendsRequestsSideBySide }

    package func connect<R: Sendable>(
        _ body: (AsyncThrowingChannel<ByteBuffer, any Error>, @escaping SendMessage) async throws -> R
    ) async throws -> R {
        try await connect(base, body)
    }

    private func connect<T: Transport, R: Sendable>(
        _ base: T, _ body: (AsyncThrowingChannel<ByteBuffer, any Error>, @escaping SendMessage) async throws -> R
    ) async throws -> R {
        try await base.connect { messages, send in
            let session = ServerEraSession(
                known: base.isOfHandshakeEra ? .handshake : known, isRelated: base is any RelatingTransport, send: send,
                log: log, onVerdict: onVerdict)
            return try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    do {
                        for try await bytes in messages { await session.hear(bytes) }
                        session.incoming.finish()
                    } catch { session.incoming.fail(error) }
                }
                group.addTask { await session.runTimers() }
                group.addTask { await session.passReplies() }
                defer { group.cancelAll() }
                return try await body(session.incoming) { bytes, _ in try await session.send(bytes) }
            }
        }
    }
}

/// The shell around `EraProbe` and `ModernServer`.
private final class ServerEraSession: Sendable {
    private enum Phase: Sendable {
        case new
        case probing(EraProbe, initialize: RPC.Request, discoveries: Int)
        case handshake
        case modern(ModernServer)
    }

    private enum Timer: Sendable {
        case probe
        case server(ModernServer.Timer)
    }

    private enum Effect: Sendable {
        case toGateway(ByteBuffer)
        case toServer(ByteBuffer)
        /// The server is to be asked for a handshake.
        case initialize
        case settled(EraProbe.Verdict)
        case failed(RPC.Error)
    }

    private static func discoveryID(_ number: Int) -> RPC.ID { RPC.ID("wharf-discover-\(number)") }

    let incoming = AsyncThrowingChannel<ByteBuffer, any Error>()
    private let phase = Mutex(Phase.new)
    /// Fulfilled when the server is to be asked for a handshake, or need not be.
    private let handshake = Promise<Void>()
    private let verdict = Promise<EraProbe.Verdict>()
    private let known: EraProbe.Verdict?
    private let isRelated: Bool
    private let output: SendMessage
    private let log: @Sendable (String) -> Void
    private let onVerdict: @Sendable (EraProbe.Verdict) -> Void
    /// Answers of our own to what the gateway sends: whoever sends must not wait for somebody to read them.
    private let replies = AsyncStream.makeStream(of: ByteBuffer.self, bufferingPolicy: .bufferingOldest(8192))
    private let timers = AsyncStream.makeStream(of: (Duration, Timer).self, bufferingPolicy: .bufferingOldest(8192))

    init(
        known: EraProbe.Verdict?, isRelated: Bool, send: @escaping SendMessage,
        log: @escaping @Sendable (String) -> Void,
        onVerdict: @escaping @Sendable (EraProbe.Verdict) -> Void
    ) {
        self.known = known
        self.isRelated = isRelated
        self.output = send
        self.log = log
        self.onVerdict = onVerdict
    }

    func passReplies() async { for await bytes in replies.stream { await incoming.send(bytes) } }

    func runTimers() async {
        await withDiscardingTaskGroup { group in
            for await (time, timer) in timers.stream {
                group.addTask {
                    guard (try? await Task.sleep(for: time)) != nil else { return }
                    try? await self.perform { phase in self.elapsed(timer, &phase) }
                }
            }
        }
    }

    /// A message of the server's.
    func hear(_ bytes: ByteBuffer) async {
        if phase.withLock({ if case .handshake = $0 { true } else { false } }) { return await incoming.send(bytes) }
        do {
            let message = try RPC.Message(parsing: bytes)
            try await perform { phase in self.heard(message, &phase) }
        } catch { log("the server sent what is no message: \(Failure.text(of: error))") }
    }

    /// A message of the gateway's.
    func send(_ bytes: ByteBuffer) async throws {
        if phase.withLock({ if case .handshake = $0 { true } else { false } }) {
            return try await output(Envelope.stripped(message: bytes), .none)
        }
        let message = try RPC.Message(parsing: bytes)
        for effect in phase.withLock({ sent(message, bytes, &$0) }) {
            if case .toGateway(let bytes) = effect {
                replies.continuation.yield(bytes)
            } else {
                try await perform(effect)
            }
        }
        if case .request(let request) = message, request.method == "initialize" { try await introduce(bytes) }
    }

    /// Waits until the server's protocol is known, having asked it for a handshake where that is wanted. Done by whoever
    /// sends `initialize`, so that what goes wrong on the way is told there.
    private func introduce(_ initialize: ByteBuffer) async throws {
        try await handshake.value
        if verdict.current == nil {
            do { try await untilModern { [output] in try await output(initialize, .none) } } catch {
                // The other question may still be answered.
                let refusal = RPC.Error(code: -32000, message: Failure.text(of: error))
                try await perform { phase in self.initialized(.failure(refusal), &phase) }
                do { _ = try await verdict.value } catch is RPC.Error { throw error }
            }
        }
        _ = try await verdict.value
    }

    /// - Parameter body: stopped where the server turns out to be a modern one meanwhile, or no server at all.
    private func untilModern(_ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await body()
                return true
            }
            group.addTask { [verdict] in (try? await verdict.value) != .handshake }
            while try await group.next() == false {}
            group.cancelAll()
        }
    }

    private func perform(_ change: (inout Phase) -> [Effect]) async throws {
        for effect in phase.withLock({ change(&$0) }) { try await perform(effect) }
    }

    private func perform(_ effect: Effect) async throws {
        switch effect {
        case .toGateway(let bytes): await incoming.send(bytes)
        case .toServer(let bytes): try await output(bytes, .none)
        case .initialize: handshake.fulfil(.success(()))
        case .settled(let verdict):
            onVerdict(verdict)
            self.verdict.fulfil(.success(verdict))
            handshake.fulfil(.success(()))
        case .failed(let error):
            verdict.fulfil(.failure(error))
            handshake.fulfil(.success(()))
        }
    }

    private func sent(_ message: RPC.Message, _ bytes: ByteBuffer, _ phase: inout Phase) -> [Effect] {
        switch phase {
        case .new:
            guard case .request(let request) = message, request.method == "initialize" else {
                return [.toServer(bytes)]
            }
            var probe = EraProbe(known: known)
            let actions = probe.start()
            phase = .probing(probe, initialize: request, discoveries: 0)
            return probed(actions, &phase)
        // Nothing is sent before the handshake has been answered, but that it is taken back.
        case .probing: return []
        case .handshake: return [.toServer((try? Envelope.stripped(message: bytes)) ?? bytes)]
        case .modern(var server):
            // Held twice, its tables would be copied.
            phase = .new
            let actions = server.receive(message)
            phase = .modern(server)
            return effects(actions)
        }
    }

    private func heard(_ message: RPC.Message, _ phase: inout Phase) -> [Effect] {
        switch phase {
        case .new, .handshake: return [.toGateway(message.bytes)]
        case .probing(var probe, let initialize, let discoveries):
            guard case .response(let response) = message, let id = response.id else {
                // A server may log before it is asked anything; what it wants to know has to wait.
                if case .notification = message { return [.toGateway(message.bytes)] }
                return []
            }
            if id == initialize.id { return initialized(response.outcome, &phase) }
            guard id == Self.discoveryID(discoveries) else { return [] }
            let actions = probe.discovered(response.outcome)
            phase = .probing(probe, initialize: initialize, discoveries: discoveries)
            return probed(actions, &phase)
        case .modern(var server):
            phase = .new
            let actions = server.heard(message)
            phase = .modern(server)
            return effects(actions)
        }
    }

    private func initialized(_ outcome: Result<RawJSON, RPC.Error>, _ phase: inout Phase) -> [Effect] {
        guard case .probing(var probe, let initialize, let discoveries) = phase else { return [] }
        let actions = probe.initialized(outcome)
        phase = .probing(probe, initialize: initialize, discoveries: discoveries)
        return probed(actions, &phase)
    }

    private func elapsed(_ timer: Timer, _ phase: inout Phase) -> [Effect] {
        switch (timer, phase) {
        case (.probe, .probing(var probe, let initialize, let discoveries)):
            let actions = probe.elapsed()
            phase = .probing(probe, initialize: initialize, discoveries: discoveries)
            return probed(actions, &phase)
        case (.server(let timer), .modern(var server)):
            let actions = server.elapsed(timer)
            phase = .modern(server)
            return effects(actions)
        default: return []
        }
    }

    private func probed(_ actions: [EraProbe.Action], _ phase: inout Phase) -> [Effect] {
        guard case .probing(let probe, let initialize, var discoveries) = phase else { return [] }
        return actions.flatMap { action -> [Effect] in
            switch action {
            case .discover(let revision):
                discoveries += 1
                phase = .probing(probe, initialize: initialize, discoveries: discoveries)
                let envelope = Envelope(
                    revision: revision, capabilities: RawJSON([:]), client: initialize.params?["clientInfo"])
                let request = RPC.Request(
                    id: Self.discoveryID(discoveries), method: "server/discover", params: envelope.written(into: nil))
                return [.toServer(RPC.Message.request(request).bytes)]
            case .initialize: return [.initialize]
            case .wait(let time):
                timers.continuation.yield((time, .probe))
                return []
            case .settle(.handshake, let result):
                phase = .handshake
                return [.settled(.handshake), Self.answer(initialize.id, .success(result))]
            case .settle(.modern(let revision), let result):
                var server = ModernServer(revision: revision, discovery: result, isRelated: isRelated)
                let answers = server.receive(.request(initialize))
                phase = .modern(server)
                return [.settled(.modern(revision))] + effects(answers)
            case .fail(let error): return [.failed(error)]
            }
        }
    }

    private static func answer(_ id: RPC.ID, _ outcome: Result<RawJSON, RPC.Error>) -> Effect {
        .toGateway(RPC.Message.response(RPC.Response(id: id, outcome: outcome)).bytes)
    }

    private func effects(_ actions: [ModernServer.Action]) -> [Effect] {
        actions.compactMap { action in
            switch action {
            case .deliver(let message): return .toGateway(message.bytes)
            case .send(let message): return .toServer(message.bytes)
            case .cancel(let id):
                let params = RawJSON(object: [("requestId", id.json)])
                let note = RPC.Notification(method: "notifications/cancelled", params: params)
                return .toServer(RPC.Message.notification(note).bytes)
            case .wait(let time, let timer):
                timers.continuation.yield((time, .server(timer)))
                return nil
            case .log(let text):
                log(text)
                return nil
            }
        }
    }
}
