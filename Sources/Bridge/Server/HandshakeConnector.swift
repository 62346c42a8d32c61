internal import Core
package import MCP
internal import NIOCore

/// Reaches a server of the handshake era, which gets nothing of what only modern clients put into requests.
package struct HandshakeConnector: Connector {
    private let base: any Connector

    package init(_ base: any Connector) { self.base = base }

    package func connect<R: Sendable>(
        onProgress: @escaping @Sendable (ConnectionStep) async -> Void,
        _ body: @escaping @Sendable (any Transport) async throws -> R
    ) async throws -> R {
        try await base.connect(onProgress: onProgress) { try await body(Self.plain($0)) }
    }

    private static func plain(_ transport: some Transport) -> any Transport { HandshakeTransport(transport) }
}

private struct HandshakeTransport<Base: Transport>: Transport {
    private let base: Base

    init(_ base: Base) { self.base = base }

    var sendsRequestsSideBySide: Bool { base.sendsRequestsSideBySide }

    func connect<R: Sendable>(
        _ body: (Base.Messages, @escaping SendMessage) async throws -> R
    ) async throws -> R {
        try await base.connect { messages, send in
            try await body(messages) { bytes, relation in
                try await send(try Envelope.stripped(message: bytes), relation)
            }
        }
    }
}

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
