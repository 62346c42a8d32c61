internal import NIOCore

/// Takes pictures and sound out of a request's text: they are long, and nobody can read them.
enum MediaTruncation {
    /// Bytes of a piece of media that stay.
    static let kept = 100
    /// Strings shorter than this stay as they are.
    private static let shortest = 1024
    /// Bytes kept of a request without its media.
    static let maximum = 64 << 10

    /// The JSON text with every long string of base64 cut, and the whole cut where it is still too long.
    static func apply(to body: ByteBuffer) -> ByteBuffer {
        guard body.readableBytes >= shortest else { return body }
        let bytes = body.readableBytesView
        var result = ByteBuffer()
        var written = bytes.startIndex
        var place = bytes.startIndex
        while let start = bytes[place...].firstIndex(of: UInt8(ascii: "\"")) {
            let end = self.end(of: bytes[bytes.index(after: start)...])
            if end - start > shortest, isMedia(bytes[bytes.index(after: start)..<end]) {
                result.writeBytes(bytes[written..<(start + 1 + kept)])
                result.writeString("...[truncated \(end - start - 1 - kept) bytes]")
                written = end
            }
            place = min(end + 1, bytes.endIndex)
            if result.readableBytes > maximum { break }
        }
        if written == bytes.startIndex, body.readableBytes <= maximum { return body }
        let room = max(maximum - result.readableBytes, 0)
        result.writeBytes(bytes[written..<min(written + room, bytes.endIndex)])
        // A copy of its own, so that a large request is not kept for a small part of it.
        return result
    }

    /// Where the string that has begun ends.
    private static func end(of bytes: ByteBufferView.SubSequence) -> Int {
        var place = bytes.startIndex
        while place < bytes.endIndex {
            switch bytes[place] {
            case UInt8(ascii: "\""): return place
            case UInt8(ascii: "\\"): place += 2
            default: place += 1
            }
        }
        return bytes.endIndex
    }

    /// Base64, or a `data:` address of it: letters, digits, and no space anywhere.
    private static func isMedia(_ bytes: ByteBufferView.SubSequence) -> Bool {
        bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            case UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: ":"), UInt8(ascii: ";"), UInt8(ascii: ","), UInt8(ascii: "."), UInt8(ascii: "\\"):
                true
            default: false
            }
        }
    }
}
