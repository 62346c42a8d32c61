package import NIOCore

/// What a message belongs to, for transports that have several ways to the other side.
package enum Relation: Sendable, Hashable {
    /// It answers this request of the other side, which is over with it; nil where the request's id could not be read.
    case answer(to: RPC.ID?)
    /// It is about this request of the other side, which is under way.
    case request(RPC.ID)
    case none

    package init(to id: RPC.ID?) { self = id.map { .request($0) } ?? .none }
}

/// Sends one message, whole; may be called from many tasks. A transport with one stream has no use for the relation.
package typealias SendMessage = @Sendable (ByteBuffer, Relation) async throws -> Void

/// A transport on which each request has a stream of its own, so that what comes by it is known to belong there: it says so
/// with a `CallTag`.
package protocol RelatingTransport: Transport {}

/// One duplex stream of JSON-RPC messages, each the bytes of one JSON text.
package protocol Transport: Sendable {
    associatedtype Messages: AsyncSequence, Sendable where Messages.Element == ByteBuffer

    /// Whether a request's sending may take as long as its answer, so that others must not wait for it. Everything else is
    /// sent one after the other.
    var sendsRequestsSideBySide: Bool { get }
    /// Whether whoever is at the other end is certainly of the handshake era.
    var isOfHandshakeEra: Bool { get }

    /// Opens the connection for as long as `body` runs.
    ///
    /// - Parameter body: gets the incoming messages (for one consumer) and the way to send.
    func connect<R: Sendable>(_ body: (Messages, @escaping SendMessage) async throws -> R) async throws -> R
}

extension Transport {
    package var sendsRequestsSideBySide: Bool { false }
    package var isOfHandshakeEra: Bool { false }
}
