package import AsyncHTTPClient
package import Core
package import NIOCore
internal import Synchronization

/// Clients that dial a given address, whatever their host's name stands for by now; certificates are still for the name.
package final class PinnedClients: Sendable {
    private struct Pin: Hashable {
        let host: String
        let address: IPAddress
    }

    private struct Entry {
        let client: HTTPClient
        var answers: Int
        var use: UInt64
    }

    private struct State {
        var entries: [Pin: Entry] = [:]
        var uses: UInt64 = 0
        var isClosed = false
    }

    /// Clients without an answer under way that are kept, for their open connections.
    private static let maximumIdle = 16
    /// A name may stand for hundreds of addresses; whoever cannot be reached at these is away.
    private static let maximumAttempts = 4

    private let configuration: HTTPClient.Configuration
    private let state = Mutex(State())

    package init(configuration: HTTPClient.Configuration) { self.configuration = configuration }

    /// Keeps a client open for as long as somebody reads from it.
    private final class Lease: Sendable {
        let client: HTTPClient
        private let pin: Pin
        private let owner: PinnedClients

        init(_ client: HTTPClient, _ pin: Pin, of owner: PinnedClients) {
            (self.client, self.pin, self.owner) = (client, pin, owner)
        }

        deinit { owner.state.withLock { $0.entries[pin]?.answers -= 1 } }
    }

    /// Tries one address after the other until one can be connected to.
    package func execute(
        _ request: HTTPClientRequest, host: String, at addresses: [IPAddress], deadline: NIODeadline
    ) async throws -> HTTPClientResponse {
        var problem: any Error = HTTPClientError.cancelled
        for address in addresses.prefix(Self.maximumAttempts) {
            let lease = try lease(Pin(host: host, address: address))
            await closeIdle()
            do {
                var response = try await lease.client.execute(request, deadline: deadline)
                response.body = .stream(LeasedBody(body: response.body, lease: lease))
                return response
            } catch  where Self.isUnconnected(error) {
                problem = error
            }
        }
        throw problem
    }

    /// Nothing was sent yet.
    private static func isUnconnected(_ error: any Error) -> Bool {
        Registry.isAbsence(error) || error as? HTTPClientError == .connectTimeout
    }

    private func lease(_ pin: Pin) throws -> Lease {
        try state.withLock { state in
            guard !state.isClosed else { throw CancellationError() }
            state.uses += 1
            var entry = state.entries[pin] ?? Entry(client: makeClient(pin), answers: 0, use: 0)
            entry.answers += 1
            entry.use = state.uses
            state.entries[pin] = entry
            return Lease(entry.client, pin, of: self)
        }
    }

    private func makeClient(_ pin: Pin) -> HTTPClient {
        var configuration = configuration
        configuration.dnsOverride = [pin.host: "\(pin.address)"]
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    private func closeIdle() async {
        let closed = state.withLock { state -> [HTTPClient] in
            let idle = state.entries.filter { $0.value.answers == 0 }.sorted { $0.value.use < $1.value.use }
            return idle.prefix(max(0, idle.count - Self.maximumIdle)).compactMap { pin, _ in
                state.entries.removeValue(forKey: pin)?.client
            }
        }
        for client in closed { try? await client.shutdown() }
    }

    package func shutdown() async {
        let all = state.withLock { state in
            state.isClosed = true
            return state.entries.values.map(\.client)
        }
        for client in all { try? await client.shutdown() }
    }

    private struct LeasedBody: AsyncSequence, Sendable {
        let body: HTTPClientResponse.Body
        let lease: Lease

        struct AsyncIterator: AsyncIteratorProtocol {
            var body: HTTPClientResponse.Body.AsyncIterator
            let lease: Lease

            mutating func next() async throws -> ByteBuffer? { try await body.next() }
        }

        func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body: body.makeAsyncIterator(), lease: lease) }
    }
}
