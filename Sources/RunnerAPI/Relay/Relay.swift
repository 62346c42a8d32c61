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
        let use = activity.begin()
        try await context.cancelWhenGone()
        var translation = translation
        let asked = ContinuousClock.now
        let lease = try await lease(load)
        translation?.loaded(in: ContinuousClock.now - asked)
        let loop = context.channel.eventLoop
        let (exchange, head) = try await begin(
            RelayHeaders.up(request.headers, bytes: body.readableBytes), body, path, lease, on: loop)
        var headers = RelayHeaders.down(head.headers)
        let isStream = head.headers.first(name: "content-type")?.hasPrefix("text/event-stream") ?? false
        if head.status.code >= 400 { translation = translation ?? PassedRefusal() }
        if var translation, !isStream {
            let body = try await rest(of: exchange, lease)
            let type = head.headers.first(name: "content-type") ?? "application/octet-stream"
            let answer = translation.whole(WholeAnswer(status: Int(head.status.code), type: type, body: body))
            return Response(
                status: .init(code: answer.status), headers: [.contentType: answer.type],
                body: ResponseBody(byteBuffer: answer.body))
        }
        let status = HTTPResponse.Status(code: Int(head.status.code), reasonPhrase: head.status.reasonPhrase)
        if !isStream, loop.inEventLoop, let body = exchange.whole {
            lease.release()
            return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: body))
        }
        if let translation { headers[.contentType] = translation.streamType }
        let length = isStream ? nil : head.headers.first(name: "content-length").flatMap { Int($0) }
        return Response(
            status: status, headers: headers,
            body: ResponseBody(contentLength: length) { [translation] _ in
                defer {
                    lease.release()
                    withExtendedLifetime(use) {}
                }
                try await forward(exchange, translation, isStream: isStream, lease, to: context.channel)
            })
    }

    /// Asks an engine and waits for its whole answer: for routes that need more than one question, or that judge an
    /// answer before they pass it on.
    func answer(to body: ByteBuffer, path: String, load: Load, context: Context) async throws -> WholeAnswer {
        let use = activity.begin()
        defer { withExtendedLifetime(use) {} }
        try await context.cancelWhenGone()
        let lease = try await lease(load)
        defer { lease.release() }
        let headers: HTTPFields = [.contentType: "application/json"]
        let (exchange, head) = try await begin(
            RelayHeaders.up(headers, bytes: body.readableBytes), body, path, lease, on: context.channel.eventLoop)
        return WholeAnswer(
            status: Int(head.status.code), type: head.headers.first(name: "content-type") ?? "application/octet-stream",
            body: try await rest(of: exchange, lease))
    }

    /// Loads the model and asks it nothing.
    func preload(_ load: Load, context: Context) async throws {
        let use = activity.begin()
        try await context.cancelWhenGone()
        _ = try await lease(load)
        withExtendedLifetime(use) {}
    }

    // MARK: Parts of it

    private func lease(_ load: Load) async throws -> Lease {
        do { return try await scheduler.lease(load) } catch let failure as Failure {
            throw failure.during("unable to load runner")
        }
    }

    private func begin(
        _ headers: HTTPHeaders, _ body: ByteBuffer, _ path: String, _ lease: Lease, on loop: any EventLoop
    ) async throws -> (EngineExchange, HTTPResponseHead) {
        let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: path, headers: headers)
        do {
            return try await EngineExchange.begin(head, body: body, to: lease.runner.address, on: loop)
        } catch let failure as Failure {
            try Task.checkCancellation()
            throw await ending(of: lease.runner)
                ?? Failure(.internalError, "\(lease.runner.load.key.backend) did not answer", cause: failure)
        }
    }

    private func rest(of exchange: EngineExchange, _ lease: Lease) async throws -> ByteBuffer {
        do { return try await exchange.collect(upTo: WholeAnswer.maximumBody) } catch let failure as Failure {
            try Task.checkCancellation()
            throw await ending(of: lease.runner) ?? failure
        }
    }

    private func forward(
        _ exchange: EngineExchange, _ translation: (any Translation)?, isStream: Bool, _ lease: Lease,
        to channel: any Channel
    ) async throws {
        let stream = NIOLoopBoundBox.makeBoxSendingValue(
            ClientStream(to: channel, translation: translation), eventLoop: channel.eventLoop)
        do {
            try await exchange.forward {
                try stream.value.attach { exchange.resume() }
                return stream.value
            }
        } catch let error as ClientStream.TranslationError {
            try await channel.eventLoop.submit { stream.value.fail(error.failure) }.get()
        } catch let failure as Failure where isStream {
            let cause = await ending(of: lease.runner) ?? failure
            // The status has gone out: within the stream is the only place left to say it.
            try await channel.eventLoop.submit { stream.value.fail(cause) }.get()
        }
    }

    /// Why a runner is gone. Its connections end a moment before its process has been seen to end.
    private func ending(of runner: Runner) async -> Failure? {
        for _ in 0..<40 {
            if let failure = scheduler.failure(of: runner.id) { return failure }
            do { try await Task.sleep(for: .milliseconds(25)) } catch { return nil }
        }
        return nil
    }
}
