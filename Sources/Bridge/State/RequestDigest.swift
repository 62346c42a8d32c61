internal import Core
internal import Crypto
package import MCP
internal import NIOCore

/// Identifies a request by what it asks, whoever asks and however often: a retry has the same digest.
package enum RequestDigest {
    /// What differs between a request and its retry.
    private static let volatile: Set<String> = ["_meta", "inputResponses", "requestState"]

    package static func of(_ request: RPC.Request) -> String {
        var hash = SHA256()
        func add(_ bytes: ByteBuffer) {
            var length = ByteBuffer()
            length.writeInteger(UInt64(bytes.readableBytes))
            length.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
            bytes.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
        }
        add(ByteBuffer(string: request.method))
        let members = request.params?.members().filter { !volatile.contains($0.name) } ?? []
        for (name, value) in members.sorted(by: { $0.name < $1.name }) {
            add(ByteBuffer(string: name))
            // A client may write the same value differently when it asks again.
            add(((try? value.parsed()) ?? .null).canonical.bytes)
        }
        return hash.finalize().reduce(into: "") { text, byte in
            text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
    }
}

extension JSON {
    /// Members in the order of their names.
    fileprivate var canonical: JSON {
        switch self {
        case .array(let elements): .array(elements.map(\.canonical))
        case .object(let object):
            .object(Object(object.members.sorted { $0.name < $1.name }.map { ($0.name, $0.value.canonical) }))
        default: self
        }
    }
}
