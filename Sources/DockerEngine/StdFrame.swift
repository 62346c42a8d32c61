internal import Core
package import NIOCore

/// A piece of what a container without a terminal writes: docker multiplexes its two streams into one.
package struct StdFrame: Sendable, Hashable {
    package enum Stream: UInt8, Sendable {
        case stdout = 1
        case stderr = 2
    }

    package let stream: Stream
    package let bytes: ByteBuffer

    /// Takes the streams apart. Pieces are passed on as they come, so a frame of any size needs no buffer.
    package struct Demultiplexer: Sendable {
        private var pending = ByteBuffer()
        private var current: (stream: Stream, remaining: Int)?

        package init() {}

        /// - Throws: `.corrupted` for a header that is none.
        package mutating func append(_ bytes: ByteBuffer) throws -> [StdFrame] {
            var bytes = bytes
            pending.writeBuffer(&bytes)
            var frames: [StdFrame] = []
            while pending.readableBytes > 0 {
                if current == nil {
                    guard pending.readableBytes >= 8 else { break }
                    current = try readHeader()
                }
                guard let (stream, remaining) = current else { break }
                let piece = pending.readSlice(length: min(remaining, pending.readableBytes)) ?? ByteBuffer()
                current = remaining > piece.readableBytes ? (stream, remaining - piece.readableBytes) : nil
                if piece.readableBytes > 0 { frames.append(StdFrame(stream: stream, bytes: piece)) }
            }
            // What was handed out shares the storage; what is left is a header's part at the most.
            if pending.readableBytes == 0 { pending = ByteBuffer() }
            return frames
        }

        /// One byte for the stream, three of zero, four for the length.
        private mutating func readHeader() throws -> (Stream, Int) {
            guard let kind = pending.readInteger(as: UInt8.self), let stream = Stream(rawValue: kind),
                let zeros = pending.readBytes(length: 3), zeros == [0, 0, 0],
                let length = pending.readInteger(as: UInt32.self)
            else { throw Failure(.corrupted, "the container's output is not framed as docker frames it") }
            return (stream, Int(length))
        }
    }
}
