package import NIOCore

/// The last bytes a child wrote, for the message about its end. Bounded, whatever the child writes.
package struct LogTail: Sendable {
    package let capacity: Int
    private var bytes = ByteBuffer()

    package init(capacity: Int = 4096) { self.capacity = capacity }

    package mutating func append(_ more: ByteBuffer) {
        bytes.writeImmutableBuffer(more)
        guard bytes.readableBytes > capacity else { return }
        bytes.moveReaderIndex(forwardBy: bytes.readableBytes - capacity)
        bytes.discardReadBytes()
    }

    /// The text that is kept; a first line that is no longer whole is left out.
    package var text: String {
        let text = String(buffer: bytes)
        guard bytes.readableBytes == capacity, let newline = text.firstIndex(where: \.isNewline) else { return text }
        return String(text[text.index(after: newline)...])
    }

    /// The last lines that say something, free of control characters.
    package func lastLines(_ count: Int = 6) -> [String] {
        text.split(whereSeparator: \.isNewline)
            .map { line in
                String(String.UnicodeScalarView(line.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }))
            }
            .filter { !$0.allSatisfy(\.isWhitespace) }
            .suffix(count)
    }
}
