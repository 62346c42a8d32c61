package import AsyncAlgorithms
package import MCP
package import NIOCore

/// Two ends of one connection in memory, with back-pressure: a send waits until the other side takes the message.
package struct MemoryTransport: Transport {
    private let incoming: AsyncChannel<ByteBuffer>
    private let outgoing: AsyncChannel<ByteBuffer>

    package static func pair() -> (MemoryTransport, MemoryTransport) {
        let (a, b) = (AsyncChannel<ByteBuffer>(), AsyncChannel<ByteBuffer>())
        return (MemoryTransport(incoming: a, outgoing: b), MemoryTransport(incoming: b, outgoing: a))
    }

    package func connect<R: Sendable>(
        _ body: (AsyncChannel<ByteBuffer>, @escaping SendMessage) async throws -> R
    ) async throws -> R {
        defer {
            outgoing.finish()
            incoming.finish()
        }
        return try await body(incoming) { [outgoing] message, _ in await outgoing.send(message) }
    }

    /// One message as the other side would send it.
    package func send(_ text: String) async { await outgoing.send(ByteBuffer(string: text)) }

    package func finish() { outgoing.finish() }

    /// The messages the other side sends, as text.
    package var received: some AsyncSequence<String, Never> & Sendable { incoming.map { String(buffer: $0) } }
}
