/// The revisions of MCP with a handshake, oldest first. An enumerated set, not an order: unknown strings are not "newer".
package enum ProtocolVersion: String, Sendable, CaseIterable {
    case v20241105 = "2024-11-05"
    case v20250326 = "2025-03-26"
    case v20250618 = "2025-06-18"
    case v20251125 = "2025-11-25"

    package static let latest = ProtocolVersion.v20251125

    /// What a server answers to a client that asks for `requested`: the same if known, else the latest.
    package static func negotiate(_ requested: String?) -> ProtocolVersion {
        requested.flatMap(ProtocolVersion.init(rawValue:)) ?? latest
    }
}
