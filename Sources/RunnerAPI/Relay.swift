internal import AsyncAlgorithms
internal import AsyncHTTPClient
internal import Core
internal import HTTPTypes
internal import Hummingbird
internal import Inference
internal import NIOCore
internal import NIOHTTP1

/// Passes an inference request to the runner of its model: the bytes go through untouched, both ways.
struct Relay: Sendable {
    let scheduler: Scheduler
    let client: HTTPClient
    let activity: Activity

    /// Sends the request up and gives back the answer as it comes.
    ///
    /// The lease is held until the last byte has gone down; a client that leaves at any moment before ends the
    /// generation, and gives the lease back.
    func respond(to request: Request, body: ByteBuffer, path: String, load: Load, context: Context) async throws
        -> Response
    {
        let use = activity.begin()
        let headers = RelayHeaders.up(request.headers)
        let (lease, upstream) = try await context.whileConnected {
            let lease = try await self.lease(load)
            var upstream = HTTPClientRequest(url: lease.runner.url(path))
            upstream.method = .POST
            upstream.headers = headers
            upstream.body = .bytes(body)
            do {
                return (lease, try await client.execute(upstream, deadline: .distantFuture))
            } catch {
                try Task.checkCancellation()
                throw await ending(of: lease.runner)
                    ?? Failure(.internalError, "\(lease.runner.load.key.backend) did not answer", cause: error)
            }
        }
        let isEventStream = upstream.headers.first(name: "content-type")?.hasPrefix("text/event-stream") ?? false
        let disconnection = try await context.disconnection()
        return Response(
            status: .init(code: Int(upstream.status.code), reasonPhrase: upstream.status.reasonPhrase),
            headers: RelayHeaders.down(upstream.headers),
            body: ResponseBody(contentLength: upstream.headers.first(name: "content-length").flatMap { Int($0) }) {
                writer in
                defer {
                    lease.release()
                    withExtendedLifetime(use) {}
                }
                do {
                    try await pump(upstream.body, into: &writer, until: disconnection)
                } catch let failure as UpstreamFailure where isEventStream {
                    // The status has gone out: within the stream is the only place left to say it.
                    let cause = await ending(of: lease.runner) ?? failure.failure
                    let event = ErrorBody.openAIObject(cause, status: .internalServerError)
                    try await writer.write(ByteBuffer(string: "data: \(event.text)\n\n"))
                }
                try await writer.finish(nil)
            })
    }

    /// Loads the model and asks it nothing.
    func preload(_ load: Load, context: Context) async throws {
        let use = activity.begin()
        _ = try await context.whileConnected { try await self.lease(load) }
        withExtendedLifetime(use) {}
    }

    private func lease(_ load: Load) async throws -> Lease {
        do { return try await scheduler.lease(load) } catch let failure as Failure {
            throw failure.during("unable to load runner")
        }
    }

    private struct UpstreamFailure: Error {
        let failure: Failure
    }

    /// Writes every chunk as it comes. The writer cannot leave this task, so the reading is done in another one, which
    /// is never more than a chunk ahead.
    private func pump(
        _ body: HTTPClientResponse.Body, into writer: inout any ResponseBodyWriter, until disconnection: Promise<Void>
    ) async throws {
        let chunks = AsyncThrowingChannel<ByteBuffer, any Error>()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    for try await chunk in body { await chunks.send(chunk) }
                    chunks.finish()
                } catch {
                    let failure = Failure(.internalError, "the engine broke off its answer", cause: error)
                    chunks.fail(UpstreamFailure(failure: failure))
                }
            }
            group.addTask {
                try await disconnection.value
                chunks.fail(CancellationError())
            }
            defer { group.cancelAll() }
            for try await chunk in chunks { try await writer.write(chunk) }
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
