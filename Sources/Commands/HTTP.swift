package import AsyncHTTPClient
internal import Core
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

extension HTTPClientError {
    /// A transport's error as one that a person can read; others stay as they are.
    package static func readable(_ error: any Error) -> any Error {
        guard let error = error as? HTTPClientError else {
            // The type belongs to a library that is not linked by name.
            return String(reflecting: type(of: error)).hasPrefix("NIOSSL.")
                ? Failure(
                    .unavailable,
                    "no TLS connection: it speaks plain HTTP, or this machine does not trust its certificate") : error
        }
        switch error {
        case .connectTimeout: return Failure(.timedOut, "no connection in time")
        case .deadlineExceeded, .readTimeout, .writeTimeout: return Failure(.timedOut, "no answer in time")
        case .remoteConnectionClosed: return Failure(.unavailable, "the connection was closed")
        default: return Failure(.unavailable, error.shortDescription)
        }
    }
}
