internal import Core
package import MCP
internal import OCI

/// Reaches a server somewhere else.
package struct RemoteConnector: Connector {
    private let endpoint: RemoteEndpoint
    private let remoteGuard: RemoteGuard?

    package init(_ endpoint: RemoteEndpoint) { self.init(endpoint, nil) }

    init(_ endpoint: RemoteEndpoint, _ remoteGuard: RemoteGuard?) {
        self.endpoint = endpoint
        self.remoteGuard = remoteGuard
    }

    package func connect<R: Sendable>(
        onProgress: @escaping @Sendable (ConnectionStep) async -> Void,
        _ body: @escaping @Sendable (any Transport) async throws -> R
    ) async throws -> R {
        let http = RemoteHTTP(endpoint, remoteGuard)
        let outcome: Result<R, any Error>
        do {
            try await http.check()
            await onProgress(.reached(place: endpoint.address.authority, limits: ""))
            outcome = .success(try await connect(http, body))
        } catch { outcome = .failure(error) }
        await shielded { await http.shutdown() }
        return try outcome.get()
    }

    private func connect<R: Sendable>(
        _ http: RemoteHTTP, _ body: @escaping @Sendable (any Transport) async throws -> R
    ) async throws -> R {
        switch endpoint.kind {
        case .streamable: return try await body(StreamableTransport(http))
        case .events: return try await body(EventsTransport(http))
        case .automatic:
            let newer = StreamableTransport(http)
            do { return try await body(newer) } catch {
                // The handshake was the first thing said, so nothing has happened yet.
                guard let refusal = newer.isUnknownToServer else { throw error }
                do { return try await body(EventsTransport(http)) } catch let failure as Failure
                    where [.notFound, .unsupported].contains(failure.code)
                {
                    // It knows neither; what it said to the newer one says more.
                    throw refusal
                }
            }
        }
    }
}
