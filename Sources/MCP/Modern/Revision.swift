/// Every revision of MCP there is, oldest first. An enumerated set, not an order: unknown strings are not "newer".
package enum Revision: String, Sendable, CaseIterable, Hashable {
    case v20241105 = "2024-11-05"
    case v20250326 = "2025-03-26"
    case v20250618 = "2025-06-18"
    case v20251125 = "2025-11-25"
    case v20260728 = "2026-07-28"

    package var era: Era { self == .v20260728 ? .modern : .handshake }

    /// Those that a modern request may name, oldest first.
    package static let modern = allCases.filter { $0.era == .modern }

    package static let latest = Revision.v20260728

    package init(_ version: ProtocolVersion) {
        self =
            switch version {
            case .v20241105: .v20241105
            case .v20250326: .v20250326
            case .v20250618: .v20250618
            case .v20251125: .v20251125
            }
    }
}

/// The two protocols that go by the name of MCP.
package enum Era: String, Sendable, Hashable {
    /// A session that begins with `initialize`; both sides may ask.
    case handshake
    /// Requests that stand alone and carry what a handshake would have settled.
    case modern
}
