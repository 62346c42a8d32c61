package import NIOCore

/// Cuts a stream of bytes into lines, bounded: a peer that never sends a newline cannot fill the memory.
package struct LineSplitter: Sendable {
    package let maximumLength: Int
    private var pending = ByteBuffer()
    /// How many bytes of `pending` are known to hold no newline.
    private var searched = 0

    private let breaksLongLines: Bool

    /// - Parameters:
    ///   - maximumLength: bytes a line may have, its newline not counted.
    ///   - breaksLongLines: whether a longer line is handed out in pieces instead of being refused.
    package init(maximumLength: Int, breaksLongLines: Bool = false) {
        self.maximumLength = maximumLength
        self.breaksLongLines = breaksLongLines
    }

    /// Adds bytes and returns the lines they complete, without `\n` or `\r\n`.
    ///
    /// - Throws: `Failure(.resourceExhausted)` when a line is longer than allowed and is not to be broken.
    package mutating func append(_ bytes: ByteBuffer) throws -> [ByteBuffer] {
        var bytes = bytes
        pending.writeBuffer(&bytes)
        var lines: [ByteBuffer] = []
        while let length = newlineOffset() {
            guard length <= maximumLength else {
                lines.append(try piece())
                continue
            }
            var line = pending.readSlice(length: length) ?? ByteBuffer()
            pending.moveReaderIndex(forwardBy: 1)
            searched = 0
            if line.getInteger(at: line.writerIndex - 1, as: UInt8.self) == UInt8(ascii: "\r") {
                line.moveWriterIndex(to: line.writerIndex - 1)
            }
            lines.append(line)
        }
        while pending.readableBytes > maximumLength { lines.append(try piece()) }
        pending.discardReadBytes()
        return lines
    }

    /// What came after the last newline, at the end of the stream.
    package mutating func finish() -> ByteBuffer? {
        defer { pending.clear() }
        return pending.readableBytes > 0 ? pending : nil
    }

    /// The beginning of a line that is too long.
    private mutating func piece() throws -> ByteBuffer {
        guard breaksLongLines, let piece = pending.readSlice(length: maximumLength) else {
            throw Failure(.resourceExhausted, "a line is longer than \(ByteCount(maximumLength))")
        }
        searched = max(0, searched - maximumLength)
        return piece
    }

    private mutating func newlineOffset() -> Int? {
        let found = pending.readableBytesView.dropFirst(searched).firstIndex(of: UInt8(ascii: "\n"))
        guard let found else {
            searched = pending.readableBytes
            return nil
        }
        return found - pending.readerIndex
    }
}
