package import Core
package import NIOCore

/// What is made of an engine's answer on its way to the client. A relay without one passes the bytes on as they come.
///
/// A value without clock or socket: bytes in, bytes out. A relay calls `loaded` once, then either `whole`, or `part` for
/// every chunk and `end`.
package protocol Translation: Sendable {
    /// The media type of a stream.
    var streamType: String { get }

    /// How long the request waited for its model.
    mutating func loaded(in duration: Duration)

    /// An answer that is no stream of events; refusals come this way too.
    mutating func whole(_ answer: WholeAnswer) -> WholeAnswer

    /// What the client gets for some bytes of the stream, which may be cut anywhere: often nothing.
    ///
    /// - Throws: what is wrong with the answer. The relay says it with `failure(_:)`, and ends the generation.
    mutating func part(_ bytes: ByteBuffer) throws -> ByteBuffer

    /// What the client gets when the engine has ended the stream.
    ///
    /// - Throws: as `part(_:)`.
    mutating func end() throws -> ByteBuffer

    /// How a stream that has begun says that it failed; nothing comes after it.
    mutating func failure(_ failure: Failure) -> ByteBuffer
}

extension Translation {
    package mutating func loaded(in duration: Duration) {}
}

/// An answer in one piece.
package struct WholeAnswer: Sendable, Hashable {
    /// The HTTP status.
    package var status: Int
    package var type: String
    package var body: ByteBuffer

    package init(status: Int = 200, type: String = "application/json", body: ByteBuffer) {
        self.status = status
        self.type = type
        self.body = body
    }

    package init(status: Int = 200, _ json: JSON) { self.init(status: status, body: json.bytes) }

    /// Bytes of an answer that are held at a time; many long embeddings make the largest.
    package static let maximumBody = 256 << 20
}
