package import AsyncHTTPClient
package import NIOCore
package import OCI

/// How a request to this address goes out, before a deadline: directly, or by whatever the environment asks for.
package typealias HubTransport =
    @Sendable (HTTPClientRequest, WebAddress, NIODeadline) async throws -> HTTPClientResponse

extension HTTPClient {
    /// Sends every request on this client.
    package var hubTransport: HubTransport {
        { [self] request, _, deadline in try await execute(request, deadline: deadline) }
    }
}
