internal import Core
internal import HTTPTypes
internal import NIOCore

/// How an engine's answer becomes another API's: bytes in, bytes out, in the order they come.
///
/// A value serves one answer, on an event loop: it must not block. What it throws ends the answer: before the first byte
/// of the body has gone out as an error response, in a stream with `failed`.
protocol AnswerTranslation: Sendable {
    /// The content type of translated streams.
    var streamContentType: String { get }

    /// A complete answer that is no stream, of whatever status.
    mutating func whole(_ answer: WholeAnswer) throws -> WholeAnswer

    /// The next bytes of a stream of events, cut anywhere; the bytes to write for them, perhaps none.
    mutating func part(_ bytes: ByteBuffer) throws -> ByteBuffer

    /// The last bytes of a stream that has come to its end.
    mutating func end() throws -> ByteBuffer

    /// The last words of a stream that broke off, in the API's own shape.
    mutating func failed(_ failure: Failure) -> ByteBuffer
}

/// An answer without its hop-by-hop fields.
struct WholeAnswer: Sendable {
    var status: HTTPResponse.Status
    var headers: HTTPFields
    var body: ByteBuffer
}

/// The engine's answer, untouched.
struct Identity: AnswerTranslation {
    let streamContentType = "text/event-stream"

    func whole(_ answer: WholeAnswer) -> WholeAnswer { answer }
    func part(_ bytes: ByteBuffer) -> ByteBuffer { bytes }
    func end() -> ByteBuffer { ByteBuffer() }

    func failed(_ failure: Failure) -> ByteBuffer {
        let event = ErrorBody.openAIObject(failure, status: .internalServerError)
        return ByteBuffer(string: "data: \(event.text)\n\n")
    }
}
