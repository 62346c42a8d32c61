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
    /// Bytes of all elements of one list together.
    package static let maximumTools = 16 << 20
    private let peer: Peer

    /// Does the handshake.
    ///
    /// - Parameter capabilities: what the server may ask of us.
    /// - Throws: `.unsupported` when the server wants a revision that is not known here.
    package init(
        over peer: Peer, name: String, version: String, capabilities: RawJSON = RawJSON([:])
    ) async throws {
        let params = RawJSON(object: [
            ("protocolVersion", RawJSON(.string(ProtocolVersion.latest.rawValue))), ("capabilities", capabilities),
            ("clientInfo", RawJSON(["name": .string(name), "version": .string(version)])),
        ])
        let result = try await peer.request("initialize", params)
        let wanted = result["protocolVersion"]?.string ?? "none"
        guard let agreed = ProtocolVersion(rawValue: wanted) else {
            throw Failure(.unsupported, "the server speaks MCP revision \(wanted.prefix(32)), which is not known here")
        }
        let stated = result["capabilities"]
        server = Server(
            version: agreed, name: result["serverInfo"]?["name"]?.string ?? "",
            capabilities: stated?.isObject == true ? stated ?? RawJSON([:]) : RawJSON([:]),
            instructions: result["instructions"]?.string)
        self.peer = peer
        peer.notify("notifications/initialized")
    }

    /// A whole list, every page. Bounded: a server that never ends its list is cut off. Elements without a usable name
    /// are left out.
    ///
    /// - Parameter limit: bytes of all pages together.
    package func list(_ kind: ListKind, limit: Int = maximumTools) async throws -> [ListItem] {
        var items: [ListItem] = []
        var (size, count) = (0, 0)
        var cursor: RawJSON?
        for _ in 0..<1000 {
            let params = cursor.map { RawJSON(object: [("cursor", $0)]) }
            let page = try await peer.request(kind.method, params)
            guard let list = try page[kind.member]?.elements() else {
                throw Failure(.corrupted, "the answer to \(kind.method) has no list")
            }
            size += page.buffer.readableBytes
            count += list.count
            guard count <= 10_000, size <= limit else {
                throw Failure(.resourceExhausted, "the server's list of \(kind.rawValue) is too long")
            }
            items.append(contentsOf: list.compactMap { ListItem(kind, $0) })
            guard let next = page["nextCursor"], !next.isNull else { return items }
            cursor = next
        }
        throw Failure(.resourceExhausted, "the server's list of \(kind.rawValue) does not end")
    }

    /// All tools.
    package func tools(limit: Int = maximumTools) async throws -> [Tool] {
        try await list(.tools, limit: limit).map { try Tool($0.definition) }
    }

    /// Calls a tool; the parameters are the client's own bytes but for the tool's name.
    package func callTool(_ params: RawJSON) async throws -> RawJSON {
        try await peer.request("tools/call", params)
    }
}
