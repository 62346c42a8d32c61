/// The revisions of MCP with a handshake, oldest first. An enumerated set, not an order: unknown strings are not "newer".
package enum ProtocolVersion: String, Sendable, CaseIterable {
    case v2024_11_05 = "2024-11-05"
    case v2025_03_26 = "2025-03-26"
    case v2025_06_18 = "2025-06-18"
    case v2025_11_25 = "2025-11-25"

    package static let latest = ProtocolVersion.v2025_11_25

    /// What a server answers to a client that asks for `requested`: the same if known, else the latest.
    package static func negotiate(_ requested: String?) -> ProtocolVersion {
        requested.flatMap(ProtocolVersion.init(rawValue:)) ?? latest
    }
}
