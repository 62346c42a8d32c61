internal import Core
internal import HTTPTypes
internal import MCP
internal import NIOCore

/// What a POST carries.
enum Payload: Sendable {
    case message(RPC.Message, ByteBuffer)
    /// Several messages at once, as clients of 2025-03-26 may send them.
    case batch([(message: RPC.Message, bytes: ByteBuffer)])

    /// Messages of one batch.
    static let maximumBatch = 256

    /// - Throws: the refusal that answers it, with its id where it has one.
    init(parsing bytes: ByteBuffer) throws(Refusal) {
        guard Self.first(in: bytes) == UInt8(ascii: "[") else {
            self = .message(try Self.message(bytes), bytes)
            return
        }
        let json: RawJSON
        do { json = try RawJSON(checking: bytes) } catch {
            throw Refusal(.badRequest, .parseError(Failure.text(of: error)))
        }
        let elements = (try? json.elements()) ?? []
        guard !elements.isEmpty else { throw Refusal(.badRequest, .invalidRequest("an empty batch")) }
        guard elements.count <= Self.maximumBatch else {
            throw Refusal(.badRequest, .invalidRequest("a batch of more than \(Self.maximumBatch) messages"))
        }
        var messages: [(message: RPC.Message, bytes: ByteBuffer)] = []
        for element in elements { messages.append((try Self.message(element.buffer), element.buffer)) }
        self = .batch(messages)
    }

    private static func first(in bytes: ByteBuffer) -> UInt8? {
        bytes.readableBytesView.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
    }

    private static func message(_ bytes: ByteBuffer) throws(Refusal) -> RPC.Message {
        do { return try RPC.Message(parsing: bytes) } catch {
            throw Refusal(.badRequest, error, id: (try? RawJSON(checking: bytes))?["id"].flatMap(RPC.ID.init))
        }
    }

    /// How many messages it is.
    var count: Int {
        switch self {
        case .message: 1
        case .batch(let messages): messages.count
        }
    }

    /// The request's id, where it is one request.
    var id: RPC.ID? {
        if case .message(.request(let request), _) = self { request.id } else { nil }
    }

    /// Which of the protocol's two eras it belongs to; the one place where that is decided.
    ///
    /// - Parameter version: the header `MCP-Protocol-Version`.
    func era(version: String?) -> Era {
        switch self {
        case .message(let message, _): Era.ofHTTP(version: version, message: message)
        case .batch: version.map { ProtocolVersion(rawValue: $0) == nil } ?? false ? .modern : .handshake
        }
    }

    var requests: [RPC.Request] {
        func request(_ message: RPC.Message) -> RPC.Request? {
            if case .request(let request) = message { request } else { nil }
        }
        switch self {
        case .message(let message, _): return request(message).map { [$0] } ?? []
        case .batch(let messages): return messages.compactMap { request($0.message) }
        }
    }
}
