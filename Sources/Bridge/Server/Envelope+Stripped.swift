internal import Core
internal import MCP
internal import NIOCore

extension Envelope {
    /// A request without a modern client's envelope; anything else as it is.
    static func stripped(message bytes: ByteBuffer) throws -> ByteBuffer {
        guard bytes.mentions("io.modelcontextprotocol/") else { return bytes }
        guard case .request(let request) = try RPC.Message(parsing: bytes), let params = request.params else {
            return bytes
        }
        let plain = stripped(from: params)
        return RPC.Message.request(RPC.Request(id: request.id, method: request.method, params: plain)).bytes
    }
}

extension ByteBuffer {
    /// Whether a name that ends in a slash stands somewhere in these bytes.
    func mentions(_ name: StaticString) -> Bool {
        withUnsafeReadableBytes { bytes in
            let length = name.utf8CodeUnitCount
            var rest = bytes[...]
            while let slash = rest.firstIndex(of: UInt8(ascii: "/")) {
                let start = slash + 1 - length
                if start >= 0,
                    bytes[start...slash].elementsEqual(UnsafeBufferPointer(start: name.utf8Start, count: length))
                {
                    return true
                }
                rest = rest[(slash + 1)...]
            }
            return false
        }
    }
}
