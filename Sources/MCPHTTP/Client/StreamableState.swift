internal import Core
internal import MCP

/// What a client of Streamable HTTP knows of its session; whose answers are still being read.
struct StreamableState: Sendable {
    /// The server's name for the session; nil where it has none, or before it said so.
    private(set) var session: String?
    /// The revision that was agreed on.
    private(set) var version: ProtocolVersion?
    /// Why the handshake was refused, as long as nothing else has been answered.
    private(set) var refusal: Failure?
    private var hasAnswered = false
    /// Whether the server has forgotten the session.
    private(set) var isLost = false
    /// The streams of answers under way, by their requests, to be left when nobody waits for them any more.
    private var reading: [RPC.ID: Promise<Void>] = [:]

    /// The handshake's answer.
    mutating func opened(session: String?, _ result: RawJSON) throws {
        version = (try? result["protocolVersion"]?.parsed())?.string.flatMap(ProtocolVersion.init(rawValue:))
        guard let session else { return }
        guard !session.isEmpty, session.utf8.count <= 1024, session.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw Failure(.corrupted, "the server's session id is not usable") }
        self.session = session
    }

    mutating func lose() { isLost = true }

    mutating func refused(_ failure: Failure) { if !hasAnswered { refusal = failure } }

    /// The server knows this transport, whatever it has said to a handshake.
    mutating func answered() { (hasAnswered, refusal) = (true, nil) }

    /// - Returns: fulfilled when the stream is not wanted any more.
    mutating func read(_ id: RPC.ID) -> Promise<Void> {
        let stop = Promise<Void>()
        reading[id] = stop
        return stop
    }

    mutating func stop(_ id: RPC.ID) -> Promise<Void>? { reading.removeValue(forKey: id) }
}

/// Where a stream of events is, and when to come back to it when it breaks.
struct StreamPosition: Sendable {
    /// In a row, without anything new.
    static let maximumAttempts = 5
    private static let longest = Duration.seconds(30)

    private(set) var lastID: String?
    private var retry: Duration?
    private(set) var attempts = 0

    /// Notes what a part of the stream has said.
    mutating func note(id: String?, retry: Duration?) {
        if let retry { self.retry = min(retry, Self.longest) }
        // An id that could not stand in a header could not be come back with.
        guard let id, id != lastID, id.utf8.count <= 1024, id.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            return
        }
        lastID = id
        attempts = 0
    }

    mutating func noteEvent() { attempts = 0 }

    /// How long to wait before the next attempt: as the server says, else longer each time.
    mutating func pause() -> Duration {
        defer { attempts += 1 }
        return retry ?? min(.milliseconds(500) * (1 << min(attempts, 6)), Self.longest)
    }
}
