package import NIOCore

/// Where an engine's answer goes. Everything is called on the event loop of the engine's connection, and must not block.
package protocol EngineConsumer: AnyObject {
    /// Whether more can be taken now. Where not, the engine is not read from until `EngineExchange.resume`.
    var isReady: Bool { get }

    /// The next bytes of the body. What it throws ends the exchange.
    func take(_ bytes: ByteBuffer) throws

    /// Nothing more has come for the moment.
    func flush()

    /// All has come.
    func end() throws
}

/// Keeps a whole body, up to a limit.
final class EngineCollector: EngineConsumer {
    private let limit: Int
    private(set) var body = ByteBuffer()

    init(limit: Int) { self.limit = limit }

    var isReady: Bool { true }

    func take(_ bytes: ByteBuffer) throws {
        guard body.readableBytes + bytes.readableBytes <= limit else { throw NIOTooManyBytesError(maxBytes: limit) }
        if body.readableBytes == 0 { body = bytes } else { body.writeImmutableBuffer(bytes) }
    }

    func flush() {}
    func end() {}
}
