internal import Core
internal import MCP
internal import NIOCore

extension RPC.ID {
    /// - Parameter text: without anything that JSON would have to escape.
    init(_ text: String) { self = RPC.ID(RawJSON(.string(text))) ?? RPC.ID(0) }

    var json: RawJSON { (try? RawJSON(checking: ByteBuffer(string: text))) ?? RawJSON(0) }
}
