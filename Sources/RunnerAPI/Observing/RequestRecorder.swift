internal import Core
internal import HTTPTypes
internal import NIOCore
internal import Synchronization

/// One request to a model and what came of it, as it is shown to whoever asks.
struct RequestRecord: Sendable {
    let id: String
    /// The model's id.
    let modelID: String
    /// As it was asked for.
    let model: String
    let method: String
    let url: String
    let request: ByteBuffer
    /// Seconds since 1970.
    let timestamp: Int64
    let userAgent: String?
    let origin: String?
    var status: Int
    var response: ByteBuffer
    var isResponseCut = false
    var error: String?

    var json: JSON {
        var object = JSON.Object([
            ("id", .string(id)), ("model", .string(model)), ("method", .string(method)), ("url", .string(url)),
            ("request", .string(String(buffer: request))),
        ])
        if let error {
            object["error"] = .string(error)
        } else {
            let folded = CompletionFold.fold(response) ?? String(buffer: response)
            object["response"] = .string(isResponseCut ? folded + " …" : folded)
        }
        object["timestamp"] = .int(Int(timestamp))
        object["status_code"] = .int(status)
        if let userAgent { object["user_agent"] = .string(userAgent) }
        if let origin { object["origin"] = .string(origin) }
        return .object(object)
    }
}

/// The latest requests of each model, for `docker model requests`: in memory only, and forgotten with the daemon.
final class RequestRecorder: Sendable {
    /// Kept of each model.
    static let perModel = 10
    private static let maximumModels = 64
    /// Bytes kept of an answer.
    static let maximumResponse = 256 << 10
    /// Records that wait for a slow follower; more, and it misses some.
    private static let maximumWaiting = 64
    private static let maximumFollowers = 32

    private struct State {
        /// Models in the order they were last asked, the latest last.
        var models: [(id: String, records: [RequestRecord])] = []
        var followers: [Int: AsyncStream<RequestRecord>.Continuation] = [:]
        var nextFollower = 0
    }

    private let state = Mutex(State())

    func add(_ record: RequestRecord) {
        let followers = state.withLock { state -> [AsyncStream<RequestRecord>.Continuation] in
            var place = state.models.lastIndex { $0.id == record.modelID }
            if place == nil, state.models.count >= Self.maximumModels { state.models.removeFirst() }
            if place != state.models.indices.last, let old = place {
                state.models.append(state.models.remove(at: old))
                place = state.models.indices.last
            }
            if let place {
                if state.models[place].records.count >= Self.perModel { state.models[place].records.removeFirst() }
                state.models[place].records.append(record)
            } else {
                state.models.append((record.modelID, [record]))
            }
            return Array(state.followers.values)
        }
        for follower in followers { follower.yield(record) }
    }

    /// The records of a model, or of all.
    func records(ofModel id: String?) -> [(id: String, records: [RequestRecord])] {
        state.withLock { $0.models }.filter { id == nil || $0.id == id }
    }

    /// What a follower sees: what was there, and everything that comes until it ends.
    struct Follower: Sendable {
        let existing: [RequestRecord]
        let new: AsyncStream<RequestRecord>
        fileprivate let continuation: AsyncStream<RequestRecord>.Continuation

        func end() { continuation.finish() }
    }

    /// - Throws: `.resourceExhausted` when too many follow.
    func follow() throws -> Follower {
        try state.withLock { state in
            guard state.followers.count < Self.maximumFollowers else {
                throw Failure(.resourceExhausted, "\(Self.maximumFollowers) clients follow the requests already")
            }
            let (stream, continuation) = AsyncStream.makeStream(
                of: RequestRecord.self, bufferingPolicy: .bufferingNewest(Self.maximumWaiting))
            let place = state.nextFollower
            state.nextFollower += 1
            state.followers[place] = continuation
            continuation.onTermination = { [weak self] _ in
                _ = self?.state.withLock { $0.followers.removeValue(forKey: place) }
            }
            let existing = state.models.flatMap(\.records).sorted { $0.timestamp < $1.timestamp }
            return Follower(existing: existing, new: stream, continuation: continuation)
        }
    }
}
