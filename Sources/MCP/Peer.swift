package import Core
internal import NIOCore
internal import Synchronization

/// One end of an MCP connection. Both ends ask and answer, so client and server are the same type with other handlers.
///
/// Nothing here waits for the other side to read: messages go into a bounded outbox, which one task writes out.
package final class Peer: Sendable {
    /// What answers the other side.
    package protocol Handler: Sendable {
        /// Called for each request in the order of arrival, before anything that came later is looked at.
        func admit(_ request: RPC.Request, from peer: Peer) throws(RPC.Error) -> Admission
        /// - Throws: `RPC.Error` or any error, which becomes one.
        func respond(to request: RPC.Request, from peer: Peer) async throws -> RawJSON
        /// Called in the order of arrival, before anything that came later is looked at; must not wait for an answer.
        func receive(_ notification: RPC.Notification, from peer: Peer) async
        /// Whether several messages may come as one array.
        var acceptsBatches: Bool { get }
    }

    /// How a request is answered.
    package enum Admission: Sendable {
        /// By this, at once.
        case answer(RawJSON)
        /// By `respond`, in a task of its own.
        case respond
        /// By whoever calls `answer` with its id. What is given here is called, once, when the request is taken back,
        /// with the parameters that came with that, and when the connection ends before the answer.
        case forwarded(onCancel: @Sendable (RawJSON?) -> Void)
    }

    struct Asked: Sendable {
        let method: String
        let onProgress: (@Sendable (RawJSON) -> Void)?
        let onAnswer: @Sendable (Result<RawJSON, any Error>) -> Void
    }

    enum Work: Sendable {
        case beginning
        case task(CancellationFlag)
        case forwarded(@Sendable (RawJSON?) -> Void)

        func cancel(_ params: RawJSON?) {
            switch self {
            case .beginning: break
            case .task(let flag): flag.set()
            case .forwarded(let onCancel): onCancel(params)
            }
        }
    }

    let state = Mutex(PeerState<Asked, Work>())
    let outbox = Outbox()
    let handler: any Handler

    /// How long requests may go on after the other side has closed its end.
    package static let patience = Duration.seconds(2)
    let patience: Duration

    init(handler: any Handler, patience: Duration = Peer.patience) {
        self.handler = handler
        self.patience = patience
    }

    /// Sends a request.
    ///
    /// - Parameters:
    ///   - relatedTo: the other side's request on whose behalf this one is made.
    ///   - onProgress: gets the parameters of the request's progress notifications. The request gets a progress token of
    ///     its own for that, whatever token its parameters have.
    ///   - onAnswer: called once, from wherever the answer comes, and must not wait. A failure is `RPC.Error` as
    ///     answered; `CancellationError` after `withdraw`; `NotSent` where the other side has certainly not seen it;
    ///     else `Failure`.
    /// - Returns: its id; nil where it has failed already.
    @discardableResult
    package func ask(
        _ method: String, _ params: RawJSON? = nil, relatedTo: RPC.ID? = nil,
        onProgress: (@Sendable (RawJSON) -> Void)? = nil,
        onAnswer: @escaping @Sendable (Result<RawJSON, any Error>) -> Void
    ) -> RPC.ID? {
        let number: Int
        do {
            number = try state.withLock { state throws(Failure) in
                try state.ask(Asked(method: method, onProgress: onProgress, onAnswer: onAnswer))
            }
        } catch {
            onAnswer(.failure(NotSent(reason: error)))
            return nil
        }
        let id = RPC.ID(number)
        var params = params
        if onProgress != nil {
            let meta = (params?["_meta"] ?? RawJSON([:])).replacing("progressToken", with: RawJSON(.int(number)))
            params = (params ?? RawJSON([:])).replacing("_meta", with: meta)
        }
        let bytes = RPC.Message.request(RPC.Request(id: id, method: method, params: params)).bytes
        if !outbox.put(.init(bytes: bytes, relation: Relation(to: relatedTo), request: id)) {
            let reason = state.withLock { $0.closed } ?? Failure(.unavailable, "the connection is closed")
            // Unless whoever closed it has told it already.
            state.withLock { $0.take(id) }?.onAnswer(.failure(NotSent(reason: reason)))
        }
        return id
    }

    /// Takes a request of ours back: it counts as over, and the other side is told.
    ///
    /// - Parameter params: of the notification; its id is put right.
    package func withdraw(_ id: RPC.ID, _ params: RawJSON? = nil) {
        guard let asked = state.withLock({ $0.take(id) }) else { return }
        asked.onAnswer(.failure(CancellationError()))
        guard asked.method != "initialize" else { return }
        notify("notifications/cancelled", (params ?? RawJSON([:])).replacing("requestId", with: id.json))
    }

    /// Sends a request and waits for its answer. Cancelling the task tells the other side.
    ///
    /// - Throws: `RPC.Error` as answered; `Failure(.unavailable)` when the connection closes.
    package func request(
        _ method: String, _ params: RawJSON? = nil, relatedTo: RPC.ID? = nil
    ) async throws -> RawJSON {
        try Task.checkCancellation()
        let answer = Promise<RawJSON>()
        let id = ask(method, params, relatedTo: relatedTo) { answer.fulfil($0) }
        do {
            return try await answer.value
        } catch let error as CancellationError {
            if let id { withdraw(id) }
            throw error
        } catch let error as NotSent {
            throw error.reason
        }
    }

    /// - Parameter relatedTo: the other side's request that this is about.
    /// - Returns: false where it was lost: the connection is closed.
    @discardableResult
    package func notify(_ method: String, _ params: RawJSON? = nil, relatedTo: RPC.ID? = nil) -> Bool {
        let message = RPC.Message.notification(RPC.Notification(method: method, params: params))
        return outbox.put(.init(bytes: message.bytes, relation: Relation(to: relatedTo)))
    }

    /// Answers a request of the other side; the second answer, and one to a request that was taken back, are lost.
    package func answer(_ id: RPC.ID, _ outcome: Result<RawJSON, RPC.Error>) {
        var bytes = RPC.Message.response(RPC.Response(id: id, outcome: outcome)).bytes
        if bytes.readableBytes > Self.smallAnswer, !outbox.hasRoom {
            // Large answers must not pile up for a side that does not read them.
            let error = RPC.Error(code: -32000, message: "the answer is lost: too much waits to be read already")
            bytes = RPC.Message.response(RPC.Response(id: id, outcome: .failure(error))).bytes
        }
        finish(id, bytes)
    }

    private static let smallAnswer = 64 << 10

    func finish(_ id: RPC.ID, _ bytes: ByteBuffer?) {
        // Under way until its answer is in the outbox.
        guard let bytes = state.withLock({ $0.end(id, answer: bytes) }).bytes else { return }
        outbox.put(.init(bytes: bytes, relation: .answer(to: id)))
    }

    /// Whether the other side reads what it is sent. Where it does not, what can be done without is better left out.
    package var hasRoom: Bool { outbox.hasRoom }

    /// Whether a message is on its way out.
    var isWriting: Bool { outbox.isWriting }

    /// Waits until there is room for more.
    package func room() async { await outbox.room() }
}

/// A request failed before anything of it could reach the other side, so it has certainly not been carried out.
package struct NotSent: Error, CustomStringConvertible {
    package let reason: Failure

    package init(reason: Failure) { self.reason = reason }

    package var description: String { reason.description }
}

extension Peer.Handler {
    package var acceptsBatches: Bool { false }

    package func respond(to request: RPC.Request, from peer: Peer) async throws -> RawJSON {
        throw RPC.Error.methodNotFound(request.method)
    }
}
