internal import CZlib
internal import Core
package import NIOCore

/// Takes gzip apart piece by piece: what comes out at a time is bounded, however small what went in.
package final class Gunzip {
    private static let piece = 256 << 10
    /// 15 bits of window, and gzip's framing only.
    private static let window: Int32 = 15 + 16

    /// At a place of its own: zlib keeps a pointer to it.
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private var pending = ByteBuffer()
    private var isWithinMember = false
    private var hasBegun = false

    /// - Throws: `.resourceExhausted` where there is no memory for it.
    package init() throws {
        stream.initialize(to: z_stream())
        let size = Int32(MemoryLayout<z_stream>.size)
        guard inflateInit2_(stream, Self.window, ZLIB_VERSION, size) == Z_OK else {
            stream.deallocate()
            throw Failure(.resourceExhausted, "no memory to decompress with")
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    package func append(_ bytes: ByteBuffer) {
        if pending.readableBytes == 0 { pending = bytes } else { pending.writeImmutableBuffer(bytes) }
    }

    /// The next plain bytes, 256 KiB at the most; nil when more is needed.
    ///
    /// - Throws: `.corrupted` for what is not gzip.
    package func next() throws -> ByteBuffer? {
        while pending.readableBytes > 0 {
            guard isWithinMember || beginMember() else { return nil }
            var output = ByteBuffer()
            output.reserveCapacity(Self.piece)
            let outcome = inflate(into: &output)
            switch outcome {
            case Z_STREAM_END:
                isWithinMember = false
                inflateReset(stream)
            case Z_OK, Z_BUF_ERROR: break
            default: throw Failure(.corrupted, "it is not gzip, or damaged")
            }
            if output.readableBytes > 0 { return output }
            if outcome == Z_BUF_ERROR { return nil }
        }
        return nil
    }

    /// Members may follow one another, and zeros the last one.
    private func beginMember() -> Bool {
        if hasBegun {
            while pending.readableBytes > 0, pending.getInteger(at: pending.readerIndex, as: UInt8.self) == 0 {
                pending.moveReaderIndex(forwardBy: 1)
            }
            if pending.readableBytes == 0 { return false }
        }
        hasBegun = true
        isWithinMember = true
        return true
    }

    private func inflate(into output: inout ByteBuffer) -> Int32 {
        let stream = stream
        var outcome = Z_OK
        let used = pending.withUnsafeMutableReadableBytes { input -> Int in
            // zlib does not write there; its type only lacks the word for it.
            stream.pointee.next_in = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
            stream.pointee.avail_in = UInt32(clamping: input.count)
            let given = stream.pointee.avail_in
            output.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.piece) { space in
                stream.pointee.next_out = space.baseAddress?.assumingMemoryBound(to: UInt8.self)
                stream.pointee.avail_out = UInt32(Self.piece)
                outcome = CZlib.inflate(stream, Z_NO_FLUSH)
                return Self.piece - Int(stream.pointee.avail_out)
            }
            return Int(given - stream.pointee.avail_in)
        }
        pending.moveReaderIndex(forwardBy: used)
        return outcome
    }

    /// - Throws: `.corrupted` when the last member is cut off, or there was none.
    package func finish() throws {
        guard hasBegun, !isWithinMember else { throw Failure(.corrupted, "it is cut off") }
    }
}
