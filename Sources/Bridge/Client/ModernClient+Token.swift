internal import Core
internal import MCP
internal import NIOCore

extension ModernClient.Token {
    private static let maximumState = 32 << 10

    /// What goes into a sealed state.
    func bytes(ticket: UInt64, round: Int) throws -> [UInt8] {
        var out = ByteBuffer()
        out.writeInteger(ticket)
        out.writeInteger(UInt16(clamping: round))
        switch self {
        case .call(let id): out.writeString("c\(id.text)")
        case .passing(let state):
            out.writeString("p")
            if let state { out.writeImmutableBuffer(state.buffer) }
        case .again: out.writeString("a")
        }
        guard out.readableBytes <= Self.maximumState else {
            throw RPC.Error.internalError("the server's requestState is longer than \(Self.maximumState) bytes")
        }
        return Array(out.readableBytesView)
    }

    static func read(_ bytes: [UInt8]) -> (token: Self, ticket: UInt64, round: Int)? {
        var buffer = ByteBuffer(bytes: bytes)
        guard let ticket = buffer.readInteger(as: UInt64.self), let round = buffer.readInteger(as: UInt16.self),
            let kind = buffer.readString(length: 1)
        else { return nil }
        let rest = try? RawJSON(checking: buffer)
        switch kind {
        case "c": return rest.flatMap(RPC.ID.init).map { (.call($0), ticket, Int(round)) }
        case "p": return buffer.readableBytes == 0 || rest != nil ? (.passing(rest), ticket, Int(round)) : nil
        case "a": return (.again, ticket, Int(round))
        default: return nil
        }
    }
}
