internal import Core
internal import Dialects
internal import HTTPTypes
internal import Hummingbird
internal import Inference
internal import NIOCore
internal import NIOHTTP1

/// Passes an inference request to the runner of its model, and the answer back: untouched, or translated on its way.
///
/// Everything happens on the event loop of the client's connection.
struct Relay: Sendable {
    let scheduler: Scheduler
    let activity: Activity
    let metrics: Metrics
    let recorder: RequestRecorder
    /// After how long a stream that waits for its model begins with a comment, and how often another one comes.
    let heartbeat: Duration
    /// The id of the model that a name stands for.
    let modelID: @Sendable (String) -> String?

    /// One question on its way.
    struct Question: Sendable {
        let headers: HTTPFields
        let body: ByteBuffer
        /// The engine's route, with its query.
        let path: String
        let load: Load
    }

    /// Sends the request up and gives back the answer as it comes.
    ///
    /// The lease is held until the last byte has gone down; a client that leaves at any moment before ends the
    /// generation, and gives the lease back.
    ///
    /// - Parameters:
    ///   - body: what the engine gets.
    ///   - path: the engine's route, with its query.
    ///   - translation: nil passes the answer on untouched.
    func respond(
        to request: Request, body: ByteBuffer, path: String, load: Load, context: Context,
        translation: (any Translation)? = nil
    ) async throws -> Response {
        let observation = Observation(metrics, recorder, request, body: body, load: load, use: activity.begin())
        let question = Question(headers: request.headers, body: body, path: path, load: load)
        do {
            try checkKey(load, context)
            try await context.cancelWhenGone()
            let asked = ContinuousClock.now
            let lease: Lease
            if let ready = scheduler.readyLease(load) {
                lease = ready
            } else if !Self.canWait(body, translation) {
                lease = try await self.lease(load)
            } else {
                let pending = try await explained { try PendingLease(load, of: scheduler) }
                let waited = try await explained { try await pending.wait(for: heartbeat) }
                guard let granted = waited else {
                    return waiting(for: pending, question, translation, since: asked, observation, context)
                }
                lease = granted
            }
            var translation = translation
            translation?.loaded(in: ContinuousClock.now - asked)
            observation.loaded()
            return try await answer(to: question, by: lease, translation, observation, context)
        } catch {
            if let failure = error as? Failure { observation.failed(failure) }
            throw error
        }
    }

    private func answer(
        to question: Question, by lease: Lease, _ translation: (any Translation)?, _ observation: Observation,
        _ context: Context
    ) async throws -> Response {
        let loop = context.channel.eventLoop
        let (exchange, head) = try await begin(question, lease, on: loop)
        // A refusal gets the shape of its API even where the rest passes untouched.
        let translation = translation ?? (head.status.code >= 400 ? PassedRefusal() : nil)
        if var translation, !Self.isStream(head) {
            let answer = translation.whole(try await whole(exchange, head, lease))
            observation.took(whole: answer.body, status: answer.status)
            return Response(
                status: .init(code: answer.status), headers: [.contentType: answer.type],
                body: ResponseBody(byteBuffer: answer.body))
        }
        let status = HTTPResponse.Status(code: Int(head.status.code), reasonPhrase: head.status.reasonPhrase)
        var headers = RelayHeaders.down(head.headers)
        let isStream = Self.isStream(head)
        if !isStream, loop.inEventLoop, let body = exchange.whole {
            lease.release()
            observation.took(whole: body, status: status.code)
            return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: body))
        }
        observation.answered(status.code)
        if let translation { headers[.contentType] = translation.streamType }
        let length = isStream ? nil : head.headers.first(name: "content-length").flatMap { Int($0) }
        return Response(
            status: status, headers: headers,
            body: ResponseBody(contentLength: length) { _ in
                try await forward(exchange, translation, isStream: isStream, lease, observation, to: context.channel)
            })
    }

    /// Asks an engine and waits for its whole answer: for routes that need more than one question, or that judge an
    /// answer before they pass it on.
    func answer(to body: ByteBuffer, path: String, load: Load, context: Context) async throws -> WholeAnswer {
        let use = activity.begin()
        defer { withExtendedLifetime(use) {} }
        try checkKey(load, context)
        try await context.cancelWhenGone()
        let lease = try await lease(load)
        defer { lease.release() }
        let question = Question(headers: [.contentType: "application/json"], body: body, path: path, load: load)
        let (exchange, head) = try await begin(question, lease, on: context.channel.eventLoop)
        return try await whole(exchange, head, lease)
    }

    /// Loads the model and asks it nothing.
    func preload(_ load: Load, context: Context) async throws {
        let use = activity.begin()
        try checkKey(load, context)
        try await context.cancelWhenGone()
        _ = try await lease(load)
        withExtendedLifetime(use) {}
    }
}
