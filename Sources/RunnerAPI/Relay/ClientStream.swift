internal import Core
internal import Dialects
internal import Hummingbird
internal import Inference
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTPTypes

/// Writes an engine's stream to the client's connection, from within the event loop that both live on.
///
/// Hummingbird's writer would cost two changes of threads for every token, and its pipeline as much as all the rest here:
/// the chunks of a stream of events are framed here, and go straight to the connection. What has come together goes out
/// together.
final class ClientStream: EngineConsumer {
    /// What the translation threw, which is no fault of the engine.
    struct TranslationError: Error {
        let failure: Failure
    }

    private let channel: any Channel
    private var translation: (any Translation)?
    private let onPart: (@Sendable (ByteBuffer) -> Void)?
    private var connection: ClientConnection?
    private let isChunked: Bool
    /// Where the encoder writes to.
    private var output: ChannelHandlerContext?
    private var chunks = ByteBuffer()

    /// - Parameters:
    ///   - translation: nil passes the bytes on as they come.
    ///   - isChunked: whether the answer's head has said that its body comes in chunks.
    ///   - onPart: is shown everything that goes out.
    init(
        to channel: any Channel, translation: (any Translation)?, isChunked: Bool,
        onPart: (@Sendable (ByteBuffer) -> Void)? = nil
    ) {
        self.channel = channel
        self.translation = translation
        self.isChunked = isChunked
        self.onPart = onPart
    }

    /// - Parameter onReady: called whenever the client can take more again.
    func attach(onReady: @escaping @Sendable () -> Void) throws {
        connection = try channel.pipeline.syncOperations.handler(type: ClientConnection.self)
        connection?.onWritable = onReady
        if isChunked { output = try channel.pipeline.syncOperations.context(handlerType: HTTPResponseEncoder.self) }
    }

    var isReady: Bool { channel.isWritable }

    func take(_ bytes: ByteBuffer) throws {
        if translation == nil { write(bytes) } else { try translate { try $0.part(bytes) } }
    }

    func flush() {
        guard let output else { return channel.flush() }
        writeChunks()
        output.flush()
    }

    func end() throws {
        if translation != nil { try translate { try $0.end() } }
        finish()
    }

    /// Says within a stream of events why it ends: the status has gone out.
    func fail(_ failure: Failure) {
        write(translation?.failure(failure) ?? Self.event(failure))
        finish()
    }

    static func event(_ failure: Failure) -> ByteBuffer {
        ByteBuffer(string: "data: \(API.openAI.error(failure, status: 500).text)\n\n")
    }

    private func translate(_ body: (inout any Translation) throws -> ByteBuffer) throws {
        guard var translation else { return }
        // Nobody else may hold it, or every part would copy what it has gathered.
        self.translation = nil
        defer { self.translation = translation }
        do { write(try body(&translation)) } catch {
            let failure = error as? Failure ?? Failure.wrapping(error, "cannot translate the engine's answer")
            throw TranslationError(failure: failure)
        }
    }

    private func finish() {
        writeChunks()
        connection?.onWritable = nil
        channel.writeAndFlush(HTTPResponsePart.end(nil), promise: nil)
    }

    private func write(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        onPart?(bytes)
        guard output != nil else { return channel.write(HTTPResponsePart.body(bytes), promise: nil) }
        chunks.writeString(String(bytes.readableBytes, radix: 16))
        chunks.writeStaticString("\r\n")
        chunks.writeImmutableBuffer(bytes)
        chunks.writeStaticString("\r\n")
    }

    private func writeChunks() {
        guard let output, chunks.readableBytes > 0 else { return }
        output.write(NIOAny(IOData.byteBuffer(chunks)), promise: nil)
        chunks.clear()
    }
}
