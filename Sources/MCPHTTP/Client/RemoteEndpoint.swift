internal import Core
internal import NIOCore
internal import NIOSSL
package import OCI
package import SystemPackage

/// An MCP server somewhere else, and how it is spoken to.
package struct RemoteEndpoint: Sendable {
    package enum Kind: Sendable, Hashable {
        /// Streamable HTTP.
        case streamable
        /// HTTP with server-sent events, as in the revision of 2024-11-05.
        case events
        /// The newer one, and the older one where the server does not know that.
        case automatic
    }

    package let address: WebAddress
    package let kind: Kind
    /// What every request carries: keys of the user's, so they go to this origin only.
    package let headers: [(name: String, value: String)]
    /// Whether it may be on this machine or in a private network.
    package let allowsPrivate: Bool
    /// Whose certificates it is believed by, beside those the system trusts.
    let authorities: [NIOSSLCertificate]

    /// - Parameter authorities: a PEM file.
    /// - Throws: `.failedPrecondition` for a file without certificates; `.invalidArgument` for what is no address, or
    ///   what cannot stand in a header; the text repeats no values.
    package init(
        url: String, kind: Kind, headers: [(name: String, value: String)] = [], allowsPrivate: Bool = false,
        authorities: FilePath? = nil
    ) throws {
        guard let address = WebAddress(url) else {
            throw Failure(
                .invalidArgument, "its URL is not one", advice: "It begins with https:// and has no user name in it.")
        }
        for (name, value) in headers {
            let isName =
                !name.isEmpty && name.utf8.count <= 256
                && name.utf8.allSatisfy {
                    (48...57).contains($0) || (97...122).contains($0 | 32) || "-_!#$%&'*+.^`|~".utf8.contains($0)
                }
            guard isName else { throw Failure(.invalidArgument, "\(JSON.quoted(name)) is no name of a header") }
            guard value.utf8.count <= 16 << 10, value.utf8.allSatisfy({ $0 == 9 || (0x20...0x7E).contains($0) }) else {
                throw Failure(.invalidArgument, "the value of its header \(name) cannot stand in a header")
            }
            guard !Self.own.contains(name.lowercased()) else {
                throw Failure(.invalidArgument, "the header \(name) is the transport's own")
            }
        }
        self.authorities = try authorities.map(Self.certificates) ?? []
        self.address = address
        self.kind = kind
        self.headers = headers
        self.allowsPrivate = allowsPrivate
    }

    private static func certificates(_ path: FilePath) throws -> [NIOSSLCertificate] {
        do {
            let bytes = try Files.read(path, limit: 4 << 20)
            return try NIOSSLCertificate.fromPEMBytes(Array(bytes.readableBytesView))
        } catch {
            throw Failure(
                .failedPrecondition, "cannot read certificates of authorities from \(path)", cause: error,
                advice: "It must be a file of certificates in PEM form.")
        }
    }

    /// What only the transport may say.
    private static let own: Set = [
        "host", "content-length", "content-type", "transfer-encoding", "connection", "accept", "mcp-session-id",
        "mcp-protocol-version", "last-event-id",
    ]
}
