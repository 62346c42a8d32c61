internal import Core
internal import MCP

extension RPC.ID {
    /// - Parameter text: without anything that JSON would have to escape.
    init(_ text: String) { self = RPC.ID(RawJSON(.string(text))) ?? RPC.ID(0) }
}
