internal import Core
internal import Dialects
internal import HTTPTypes
internal import Hummingbird
internal import Inference
internal import NIOCore
internal import NIOHTTP1

/// What relaying is made of.
extension Relay {
    /// - Throws: `.forbidden` where the request's key is not for this model.
    func checkKey(_ load: Load, _ context: Context) throws {
        guard let key = context.key, let models = key.models else { return }
        guard models.contains(where: { $0 == load.modelName || modelID($0) == load.key.modelID }) else {
            throw Failure(.forbidden, "the key \"\(key.name)\" may not ask \(load.modelName)")
        }
    }

    func lease(_ load: Load) async throws -> Lease {
        try await explained { try await scheduler.lease(load) }
    }

    func explained<R>(_ body: () async throws -> R) async throws -> R {
        do { return try await body() } catch let failure as Failure { throw failure.during("unable to load runner") }
    }

    func begin(
        _ question: Question, _ lease: Lease, on loop: any EventLoop
    ) async throws -> (EngineExchange, HTTPResponseHead) {
        let headers = RelayHeaders.up(question.headers, bytes: question.body.readableBytes)
        let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: question.path, headers: headers)
        do {
            return try await EngineExchange.begin(head, body: question.body, to: lease.runner.address, on: loop)
        } catch let failure as Failure {
            try Task.checkCancellation()
            throw await ending(of: lease.runner)
                ?? Failure(.internalError, "\(lease.runner.load.key.backend) did not answer", cause: failure)
        }
    }

    func whole(_ exchange: EngineExchange, _ head: HTTPResponseHead, _ lease: Lease) async throws -> WholeAnswer {
        do {
            return WholeAnswer(
                status: Int(head.status.code),
                type: head.headers.first(name: "content-type") ?? "application/octet-stream",
                body: try await exchange.collect(upTo: WholeAnswer.maximumBody))
        } catch let failure as Failure {
            try Task.checkCancellation()
            throw await ending(of: lease.runner) ?? failure
        }
    }

    /// Passes the body on, to its end or to the error that ends it; then the lease is given back.
    func forward(
        _ exchange: EngineExchange, _ translation: (any Translation)?, isStream: Bool, _ lease: Lease,
        _ observation: Observation, to channel: any Channel
    ) async throws {
        defer {
            lease.release()
            observation.finish()
        }
        let stream = NIOLoopBoundBox.makeBoxSendingValue(
            ClientStream(to: channel, translation: translation, isChunked: isStream) { observation.took(part: $0) },
            eventLoop: channel.eventLoop)
        let failure: Failure
        do {
            return try await exchange.forward {
                try stream.value.attach { exchange.resume() }
                return stream.value
            }
        } catch let error as ClientStream.TranslationError {
            failure = error.failure
        } catch let error as Failure where isStream {
            failure = await ending(of: lease.runner) ?? error
        }
        observation.failed(failure)
        // The status has gone out: within the stream is the only place left to say it.
        try await channel.eventLoop.submit { stream.value.fail(failure) }.get()
    }

    static func isStream(_ head: HTTPResponseHead) -> Bool {
        head.status == .ok && head.headers.first(name: "content-type")?.hasPrefix("text/event-stream") ?? false
    }

    /// Why a runner is gone. Its connections end a moment before its process has been seen to end.
    func ending(of runner: Runner) async -> Failure? {
        for _ in 0..<40 {
            if let failure = scheduler.failure(of: runner.id) { return failure }
            do { try await Task.sleep(for: .milliseconds(25)) } catch { return nil }
        }
        return nil
    }
}
