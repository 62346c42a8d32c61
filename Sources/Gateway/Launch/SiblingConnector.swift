internal import MCP

/// Reaches a server that somebody else has started beside the gateway (`--static`).
struct SiblingConnector: Connector {
    let server: String

    func connect<R: Sendable>(
        onProgress: @escaping @Sendable (ConnectionStep) async -> Void,
        _ body: @escaping @Sendable (any Transport) async throws -> R
    ) async throws -> R {
        let host = "mcp-\(server)"
        await onProgress(.reached(place: "\(host):\(SiblingTransport.port)", limits: ""))
        return try await body(SiblingTransport(host: host))
    }
}
