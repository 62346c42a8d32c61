package import AsyncHTTPClient
internal import NIOCore

/// Runs `body` with an HTTP client that is closed afterwards.
package func withHTTPClient<R: Sendable>(
    _ configuration: HTTPClient.Configuration = .plain, _ body: (HTTPClient) async throws -> R
) async throws -> R {
    let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    do {
        let result = try await body(client)
        try await client.shutdown()
        return result
    } catch {
        try? await client.shutdown()
        throw error
    }
}

extension HTTPClient.Configuration {
    /// For the runner and the engine: no redirects, one protocol, a failed connection known at once.
    package static var plain: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(10)
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        configuration.connectionPool.retryConnectionEstablishment = false
        return configuration
    }
}
