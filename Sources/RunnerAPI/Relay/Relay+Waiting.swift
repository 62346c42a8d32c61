internal import Core
internal import Dialects
internal import HTTPTypes
internal import Hummingbird
internal import Inference
internal import NIOCore

/// Streams whose model takes its time to load, or that wait in a queue.
///
/// A refusal should have its own status, so nothing is said for some seconds, in which nearly every refusal comes. After
/// that the answer begins with 200 and comments, which keep clients and proxies from giving up; what goes wrong then is
/// an event of the stream.
extension Relay {
    /// Says how far it is.
    private static func comment(_ position: WaitingPosition?) -> ByteBuffer {
        switch position {
        case .queued(let ahead): ByteBuffer(string: ": waiting for the model, \(ahead) before this one\n\n")
        case .loading, nil: ByteBuffer(string: ": waiting for the model\n\n")
        }
    }

    /// Whether the client is to get a stream of events, in which comments can be.
    static func canWait(_ body: ByteBuffer, _ translation: (any Translation)?) -> Bool {
        guard translation.map({ $0.streamType.hasPrefix("text/event-stream") }) ?? true,
            let stream = try? RawJSON(checking: body)["stream"]
        else { return false }
        return stream.text == "true"
    }

    func waiting(
        for pending: PendingLease, _ question: Question, _ translation: (any Translation)?,
        since asked: ContinuousClock.Instant, _ observation: Observation, _ context: Context
    ) -> Response {
        observation.answered(200)
        return Response(
            status: .ok,
            headers: [.contentType: translation?.streamType ?? "text/event-stream", .cacheControl: "no-cache"],
            body: ResponseBody { writer in
                var translation = translation
                do {
                    var granted: Lease?
                    while granted == nil {
                        try await writer.write(Self.comment(pending.position))
                        granted = try await explained { try await pending.wait(for: heartbeat) }
                    }
                    guard let lease = granted else { return }
                    translation?.loaded(in: ContinuousClock.now - asked)
                    observation.loaded()
                    let (exchange, head) = try await begin(question, lease, on: context.channel.eventLoop)
                    if Self.isStream(head) {
                        return try await forward(
                            exchange, translation, isStream: true, lease, observation, to: context.channel)
                    }
                    let answer = try await whole(exchange, head, lease)
                    throw EngineRefusal(status: answer.status, body: answer.body).failure
                } catch let failure as Failure {
                    observation.failed(failure)
                    try await writer.write(translation?.failure(failure) ?? ClientStream.event(failure))
                    try await writer.finish(nil)
                }
            })
    }
}
