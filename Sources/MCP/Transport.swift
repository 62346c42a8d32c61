package import NIOCore

/// One duplex stream of JSON-RPC messages, each the bytes of one JSON text.
package protocol Transport: Sendable {
    associatedtype Messages: AsyncSequence, Sendable where Messages.Element == ByteBuffer

    /// Opens the connection for as long as `body` runs.
    ///
    /// - Parameter body: gets the incoming messages (for one consumer) and a function that sends one message; sends may
    ///   come from many tasks and are written whole.
    func connect<R: Sendable>(
        _ body: (Messages, @escaping @Sendable (ByteBuffer) async throws -> Void) async throws -> R
    ) async throws -> R
}
