internal import Core
internal import Dialects
internal import HTTPTypes
internal import Hummingbird
internal import Inference
internal import NIOCore
internal import Synchronization

/// What is seen of one inference request while it is answered; counted and recorded once, at its end.
final class Observation: Sendable {
    private struct State {
        var wait: Duration?
        var status = 499
        var hasAnswered = false
        var first: ContinuousClock.Instant?
        var last: ContinuousClock.Instant?
        var response = ByteBuffer()
        var isCut = false
        /// The end of a stream that is too long to be kept: its numbers are there.
        var tail = ByteBuffer()
        var error: String?
        var isDone = false

        mutating func answer(_ status: Int) {
            self.status = status
            hasAnswered = true
        }

        mutating func keep(_ bytes: ByteBuffer) {
            // Copied: a few bytes would otherwise keep alive the whole buffer they were read into.
            let room = RequestRecorder.maximumResponse - response.readableBytes
            response.writeBytes(bytes.readableBytesView.prefix(room))
            guard bytes.readableBytes > room else { return }
            isCut = true
            tail.clear()
            tail.writeBytes(bytes.readableBytesView.suffix(Observation.tailLength))
        }
    }

    private static let tailLength = 2048

    private let metrics: Metrics
    private let recorder: RequestRecorder
    private let load: Load
    private let request: Request
    private let body: ByteBuffer
    private let use: Activity.Use
    private let began = ContinuousClock.now
    private let state = Mutex(State())

    /// - Parameter use: what says that the daemon is in use; kept to the end.
    init(
        _ metrics: Metrics, _ recorder: RequestRecorder, _ request: Request, body: ByteBuffer, load: Load,
        use: Activity.Use
    ) {
        self.use = use
        self.metrics = metrics
        self.recorder = recorder
        self.request = request
        self.body = body
        self.load = load
    }

    /// The request has got its runner.
    func loaded() { state.withLock { $0.wait = ContinuousClock.now - began } }

    /// The status that goes out.
    func answered(_ status: Int) { state.withLock { $0.answer(status) } }

    /// A whole answer.
    func took(whole body: ByteBuffer, status: Int) {
        state.withLock { state in
            state.answer(status)
            state.keep(body)
        }
    }

    /// The next bytes of a stream.
    func took(part bytes: ByteBuffer) {
        let now = ContinuousClock.now
        state.withLock { state in
            if state.first == nil { state.first = now }
            state.last = now
            state.keep(bytes)
        }
    }

    /// Before an answer has begun the failure decides its status.
    func failed(_ failure: Failure) {
        state.withLock { state in
            state.error = failure.description
            if !state.hasAnswered { state.status = failure.status }
        }
    }

    /// Counts and records; a second time changes nothing.
    func finish() {
        let done = state.withLock { state -> State? in
            if state.isDone { return nil }
            state.isDone = true
            return state
        }
        guard let done else { return }
        let tail = done.isCut ? done.tail : done.response
        let decoding = done.first.flatMap { first in done.last.map { ($0 - first).inSeconds } }
        metrics.count(
            .init(
                labels: .init(backend: load.key.backend, model: load.modelName, mode: load.key.mode.rawValue),
                status: done.status, wait: done.wait?.inSeconds, first: done.first.map { ($0 - began).inSeconds },
                tokens: Self.tokens(in: tail), decoding: decoding))
        recorder.add(
            RequestRecord(
                id: Self.nextID(), modelID: load.key.modelID, model: load.modelName, method: request.method.rawValue,
                url: request.uri.description, request: MediaTruncation.apply(to: body),
                timestamp: Timestamp.now.seconds, userAgent: request.headers[.userAgent],
                origin: request.headers[.origin], status: done.status, response: done.response,
                isResponseCut: done.isCut, error: done.error))
    }

    deinit { finish() }

    private static let count = Atomic<UInt64>(0)

    private static func nextID() -> String {
        "req-\(Timestamp.now.seconds)-\(count.wrappingAdd(1, ordering: .relaxed).newValue)"
    }

    /// What an answer's end says of how many tokens were made: looked for as text, for it is the last member but few.
    static func tokens(in tail: ByteBuffer) -> Int? {
        let view = tail.readableBytesView.suffix(tailLength)
        for name in ["\"completion_tokens\":", "\"predicted_n\":", "\"eval_count\":", "\"output_tokens\":"] {
            let name = Array(name.utf8)
            guard let first = name.first, view.count > name.count else { continue }
            var place = view.endIndex - name.count
            while place > view.startIndex {
                if view[place] == first, view[place..<(place + name.count)].elementsEqual(name) {
                    let digits = view[(place + name.count)...].drop { $0 == 32 }.prefix { (48...57).contains($0) }
                    if !digits.isEmpty, digits.count < 10 { return Int(String(decoding: digits, as: UTF8.self)) }
                }
                place -= 1
            }
        }
        return nil
    }
}

extension Duration {
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
