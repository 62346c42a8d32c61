package import Core
internal import NIOCore

/// The asking side of a session with one MCP server, after the handshake.
package struct Client: Sendable {
    package struct Server: Sendable {
        package let version: ProtocolVersion
        package let name: String
        package let capabilities: RawJSON
        package let instructions: String?
    }

    package let server: Server
    /// Bytes of all tools' descriptions together.
    package static let maximumTools = 16 << 20
    private let peer: Peer

    /// Does the handshake.
    ///
    /// - Throws: `.unsupported` when the server wants a revision that is not known here.
    package init(over peer: Peer, name: String, version: String) async throws {
        let params: JSON = [
            "protocolVersion": .string(ProtocolVersion.latest.rawValue), "capabilities": [:],
            "clientInfo": ["name": .string(name), "version": .string(version)],
        ]
        let result = try await peer.request("initialize", RawJSON(params))
        let json = try result.parsed()
        let wanted = json["protocolVersion"]?.string ?? "none"
        guard let agreed = ProtocolVersion(rawValue: wanted) else {
            throw Failure(.unsupported, "the server speaks MCP revision \(wanted.prefix(32)), which is not known here")
        }
        server = Server(
            version: agreed, name: json["serverInfo"]?["name"]?.string ?? "",
            capabilities: result["capabilities"] ?? RawJSON([:]), instructions: json["instructions"]?.string)
        self.peer = peer
        try await peer.notify("notifications/initialized")
    }

    /// All tools, every page. Bounded: a server that never ends its list is cut off.
    ///
    /// - Parameter limit: bytes of all pages together.
    package func tools(limit: Int = maximumTools) async throws -> [Tool] {
        var tools: [Tool] = []
        var size = 0
        var cursor: RawJSON?
        for _ in 0..<100 {
            let params = cursor.map { RawJSON([:]).replacing("cursor", with: $0) }
            let page = try await peer.request("tools/list", params)
            guard let list = try page["tools"]?.elements() else {
                throw Failure(.corrupted, "the answer to tools/list has no list of tools")
            }
            size += page.buffer.readableBytes
            guard tools.count + list.count <= 10_000, size <= limit else {
                throw Failure(.resourceExhausted, "the server's list of tools is too long")
            }
            tools.append(contentsOf: try list.map { try Tool($0) })
            guard let next = page["nextCursor"], next.text != "null" else { return tools }
            cursor = next
        }
        throw Failure(.resourceExhausted, "the server's list of tools does not end")
    }

    /// Calls a tool; the parameters are the client's own bytes but for the tool's name.
    package func callTool(_ params: RawJSON) async throws -> RawJSON {
        try await peer.request("tools/call", params)
    }

    package func notify(_ method: String, _ params: RawJSON?) async throws { try await peer.notify(method, params) }
}
