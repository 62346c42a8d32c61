package import Core
package import NIOCore

/// For refusals of engines that are asked in OpenAI's words: what passes otherwise gets OpenAI's shape.
package struct PassedRefusal: Translation {
    package init() {}

    package var streamType: String { "text/event-stream" }

    package mutating func whole(_ answer: WholeAnswer) -> WholeAnswer { answer.refused(for: .openAI) }

    package mutating func part(_ bytes: ByteBuffer) throws -> ByteBuffer { bytes }

    package mutating func end() throws -> ByteBuffer { ByteBuffer() }

    package mutating func failure(_ failure: Failure) -> ByteBuffer {
        ByteBuffer(string: "data: \(API.openAI.error(failure, status: failure.status).text)\n\n")
    }
}
