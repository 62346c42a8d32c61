internal import Core
private import Crypto
package import NIOCore

/// The name of some bytes, derived from the bytes themselves.
package struct Digest: Hashable, Sendable {
    package enum Algorithm: String, Sendable, CaseIterable {
        case sha256
        case sha512

        /// Characters its hexadecimal text has.
        var length: Int { self == .sha256 ? 64 : 128 }
    }

    package let algorithm: Algorithm
    /// Lower-case hexadecimal, as long as the algorithm says.
    package let hex: String

    /// Reads `sha256:…` or `sha512:…`.
    ///
    /// - Throws: `.invalidArgument` for any other text; nothing of it can leave a folder when used as a file name.
    package init(parsing text: some StringProtocol) throws {
        let colon = text.firstIndex(of: ":")
        guard let colon, let algorithm = Algorithm(rawValue: String(text[..<colon])),
            Self.isHex(text[text.index(after: colon)...].utf8, count: algorithm.length)
        else {
            throw Failure(
                .invalidArgument, "\"\(text.prefix(100))\" is not a digest",
                advice: "Expected sha256: and 64 hex digits")
        }
        self.algorithm = algorithm
        hex = String(text[text.index(after: colon)...])
    }

    private init(_ algorithm: Algorithm, bytes: some Sequence<UInt8>) {
        self.algorithm = algorithm
        let digits = Array("0123456789abcdef".utf8)
        hex = String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// Whether these are exactly `count` lower-case hexadecimal digits.
    package static func isHex(_ text: some Collection<UInt8>, count: Int) -> Bool {
        text.count == count && text.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }

    package static func sha256(of bytes: ByteBuffer) -> Digest { of(bytes, .sha256) }

    package static func of(_ bytes: ByteBuffer, _ algorithm: Algorithm) -> Digest {
        var hasher = Hasher(algorithm)
        hasher.update(bytes)
        return hasher.finalize()
    }

    /// The first 12 digits, as listings show an id.
    package var short: String { String(hex.prefix(12)) }
}

extension Digest: CustomStringConvertible {
    package var description: String { "\(algorithm.rawValue):\(hex)" }
}

extension Digest: Comparable {
    package static func < (a: Digest, b: Digest) -> Bool { a.description < b.description }
}

extension Digest {
    /// Takes bytes piece by piece, as they pass.
    package struct Hasher: Sendable {
        private enum State: Sendable {
            case sha256(SHA256)
            case sha512(SHA512)
        }

        private var state: State

        package init(_ algorithm: Algorithm = .sha256) {
            state = algorithm == .sha256 ? .sha256(SHA256()) : .sha512(SHA512())
        }

        package mutating func update(_ bytes: ByteBuffer) {
            bytes.withUnsafeReadableBytes { update($0) }
        }

        package mutating func update(_ bytes: UnsafeRawBufferPointer) {
            switch state {
            case .sha256(var function):
                function.update(bufferPointer: bytes)
                state = .sha256(function)
            case .sha512(var function):
                function.update(bufferPointer: bytes)
                state = .sha512(function)
            }
        }

        /// The digest of all bytes so far.
        package func finalize() -> Digest {
            switch state {
            case .sha256(let function): Digest(.sha256, bytes: function.finalize())
            case .sha512(let function): Digest(.sha512, bytes: function.finalize())
            }
        }
    }
}
