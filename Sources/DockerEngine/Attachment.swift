internal import Core
package import NIOCore

/// A container's stdin, stdout and stderr.
package struct Attachment: Sendable {
    package let output: Output
    private let writer: NIOAsyncChannelOutboundWriter<ByteBuffer>

    init(output: Output, writer: NIOAsyncChannelOutboundWriter<ByteBuffer>) {
        self.output = output
        self.writer = writer
    }

    /// Writes to the container's stdin; waits where the container does not read.
    package func write(_ bytes: ByteBuffer) async throws { try await writer.write(bytes) }

    /// Closes the container's stdin; its output still comes.
    package func closeInput() { writer.finish() }

    /// What the container writes, for one reader.
    package struct Output: AsyncSequence, Sendable {
        package typealias Element = StdFrame

        let bytes: NIOAsyncChannelInboundStream<ByteBuffer>

        package func makeAsyncIterator() -> Iterator { Iterator(bytes: bytes.makeAsyncIterator()) }

        package struct Iterator: AsyncIteratorProtocol {
            fileprivate var bytes: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
            private var demultiplexer = StdFrame.Demultiplexer()
            private var ready: ArraySlice<StdFrame> = []

            fileprivate init(bytes: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator) { self.bytes = bytes }

            package mutating func next() async throws -> StdFrame? {
                while true {
                    if let frame = ready.popFirst() { return frame }
                    guard let more = try await bytes.next() else { return nil }
                    ready = try demultiplexer.append(more)[...]
                }
            }
        }
    }
}
