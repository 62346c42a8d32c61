internal import CZlib
package import NIOCore

/// Compresses as gzip does.
package func gzip(_ bytes: ByteBuffer) -> ByteBuffer {
    var stream = z_stream()
    let size = Int32(MemoryLayout<z_stream>.size)
    guard deflateInit2_(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size) == Z_OK else {
        preconditionFailure("no memory to compress with")
    }
    defer { deflateEnd(&stream) }
    var input = bytes
    var output = ByteBuffer()
    let space = Int(deflateBound(&stream, UInt(bytes.readableBytes))) + 64
    input.withUnsafeMutableReadableBytes { input in
        stream.next_in = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.avail_in = UInt32(input.count)
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: space) { place in
            stream.next_out = place.baseAddress?.assumingMemoryBound(to: UInt8.self)
            stream.avail_out = UInt32(space)
            precondition(deflate(&stream, Z_FINISH) == Z_STREAM_END, "deflate did not end")
            return space - Int(stream.avail_out)
        }
    }
    return output
}
