internal import Core
internal import Crypto
internal import NIOCore

/// Makes `requestState` unreadable and unforgeable: it goes through a client's hands and comes back.
///
/// The key lives as long as the process; what another process sealed is refused.
package struct StateSeal: Sendable {
    /// What a state belongs to; presented with anything else it does not open.
    package struct Binding: Sendable, Hashable {
        /// Whoever is authenticated.
        package let principal: String
        /// Method and parameters, without what a retry adds.
        package let digest: String

        package init(principal: String, digest: String) {
            self.principal = principal
            self.digest = digest
        }
    }

    package enum Refusal: Error, Sendable, Hashable {
        /// Not ours, changed on the way, or presented by somebody else or with another request.
        case forged
        case expired
    }

    package static let maximumLength = 64 << 10
    private static let version: UInt8 = 1
    private let key = SymmetricKey(size: .bits256)

    package init() {}

    /// - Parameters:
    ///   - expiry: on a clock of the caller, in milliseconds.
    package func seal(_ content: [UInt8], for binding: Binding, expiry: Int64) throws -> String {
        var plain = ByteBuffer()
        plain.writeInteger(expiry)
        plain.writeBytes(content)
        let box = try ChaChaPoly.seal(
            Array(plain.readableBytesView), using: key, authenticating: Self.associated(binding))
        return Base64.encode([Self.version] + Array(box.combined))
    }

    package func open(_ text: String, for binding: Binding, now: Int64) throws(Refusal) -> [UInt8] {
        guard text.utf8.count <= Self.maximumLength, let bytes = Base64.decode(text), bytes.first == Self.version,
            Base64.encode(bytes) == text, let box = try? ChaChaPoly.SealedBox(combined: bytes.dropFirst()),
            let opened = try? ChaChaPoly.open(box, using: key, authenticating: Self.associated(binding))
        else { throw .forged }
        var plain = ByteBuffer(bytes: Array(opened))
        guard let expiry = plain.readInteger(as: Int64.self) else { throw .forged }
        guard now < expiry else { throw .expired }
        return Array(plain.readableBytesView)
    }

    /// Lengths first, so that no two bindings look alike.
    private static func associated(_ binding: Binding) -> [UInt8] {
        var out = ByteBuffer()
        for part in [binding.principal, binding.digest] {
            out.writeInteger(UInt32(part.utf8.count))
            out.writeString(part)
        }
        return Array(out.readableBytesView)
    }
}
