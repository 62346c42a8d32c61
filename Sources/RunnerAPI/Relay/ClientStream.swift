internal import Core
internal import Hummingbird
internal import Inference
internal import NIOCore
internal import NIOHTTPTypes

/// Writes an engine's stream to the client's connection, from within the event loop that both live on.
///
/// Hummingbird's writer would cost two changes of threads for every token. What has come together goes out together.
final class ClientStream: EngineConsumer {
    /// What the translation threw, which is no fault of the engine.
    struct TranslationError: Error {
        let failure: Failure
    }

    private let channel: any Channel
    private var translation: any AnswerTranslation
    private let isUntouched: Bool
    private let onPart: (@Sendable (ByteBuffer) -> Void)?
    private var connection: ClientConnection?

    /// - Parameter onPart: is shown everything that goes out.
    init(
        to channel: any Channel, translation: any AnswerTranslation,
        onPart: (@Sendable (ByteBuffer) -> Void)? = nil
    ) {
        self.channel = channel
        self.translation = translation
        self.onPart = onPart
        isUntouched = translation is Identity
    }

    /// - Parameter onReady: called whenever the client can take more again.
    func attach(onReady: @escaping @Sendable () -> Void) throws {
        connection = try channel.pipeline.syncOperations.handler(type: ClientConnection.self)
        connection?.onWritable = onReady
    }

    var isReady: Bool { channel.isWritable }

    func take(_ bytes: ByteBuffer) throws {
        write(isUntouched ? bytes : try translating { try translation.part(bytes) })
    }

    func flush() { channel.flush() }

    func end() throws {
        if !isUntouched { write(try translating { try translation.end() }) }
        finish()
    }

    /// Says within the stream why it ends, where it is one of events: the status has gone out.
    func fail(_ failure: Failure) {
        write(translation.failed(failure))
        finish()
    }

    private func translating(_ body: () throws -> ByteBuffer) throws -> ByteBuffer {
        do { return try body() } catch {
            throw TranslationError(failure: Failure.wrapping(error, "cannot translate the engine's answer"))
        }
    }

    private func finish() {
        connection?.onWritable = nil
        channel.writeAndFlush(HTTPResponsePart.end(nil), promise: nil)
    }

    private func write(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        onPart?(bytes)
        channel.write(HTTPResponsePart.body(bytes), promise: nil)
    }
}
