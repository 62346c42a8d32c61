private import Crypto
package import NIOCore

/// Git's name for a file's content, which the hub gives for files that are small: SHA-1 over a head and the bytes.
///
/// It tells damage from what was listed; who can break SHA-1 could have listed another file as well.
package struct GitBlobHash: Sendable {
    private var function = Insecure.SHA1()

    /// - Parameter size: bytes the whole file has.
    package init(size: Int64) { function.update(data: Array("blob \(size)\0".utf8)) }

    package mutating func update(_ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { function.update(bufferPointer: $0) }
    }

    /// 40 hex digits.
    package var hex: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: function.finalize().flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
