package import AsyncAlgorithms
internal import AsyncHTTPClient
internal import Core
package import MCP
package import NIOCore
internal import NIOHTTP1
internal import OCI

/// MCP over HTTP with server-sent events, as in the revision of 2024-11-05, as a client: one stream for all that the
/// server says, which begins with the address to post to.
package final class EventsTransport: Transport {
    package typealias Messages = AsyncThrowingChannel<ByteBuffer, any Error>

    /// How long a server may take to name the address.
    private static let patience = Duration.seconds(15)

    private let http: RemoteHTTP
    private let incoming = Messages()

    init(_ http: RemoteHTTP) { self.http = http }

    package var sendsRequestsSideBySide: Bool { true }
    /// No later revision has this transport.
    package var isOfHandshakeEra: Bool { true }

    package func connect<R: Sendable>(
        _ body: (Messages, @escaping SendMessage) async throws -> R
    ) async throws -> R {
        let place = Promise<WebAddress>()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                do {
                    try await read(place)
                    place.fulfil(.failure(Failure(.unavailable, "\(authority) closed the stream of events")))
                    incoming.finish()
                } catch {
                    place.fulfil(.failure(error))
                    incoming.fail(error)
                }
            }
            defer {
                group.cancelAll()
                incoming.finish()
            }
            let address = try await withDeadline(Self.patience, "\(authority) named no address for messages") {
                try await place.value
            }
            return try await body(incoming) { [self] bytes, _ in try await send(bytes, to: address) }
        }
    }

    private var authority: String { http.endpoint.address.authority }

    private func read(_ place: Promise<WebAddress>) async throws {
        let response = try await http.execute(.GET, http.endpoint.address, ["accept": "text/event-stream"])
        guard response.status.code == 200, response.isEventStream else {
            let text = try? await response.body.collect(upTo: RemoteHTTP.maximumError)
            guard response.status.code != 200 else {
                throw Failure(.unsupported, "\(authority) does not answer with a stream of events")
            }
            throw response.failure(of: http.endpoint.address, text.map { String(buffer: $0) } ?? "")
        }
        var parser = SSE.Parser(maximumEvent: LineMessages<Messages>.maximumMessage)
        for try await chunk in response.body {
            for event in try parser.append(chunk) {
                switch event.name ?? "message" {
                case "endpoint":
                    guard place.current == nil else { continue }
                    place.fulfil(.success(try address(event.data)))
                case "message" where !event.data.isEmpty: await incoming.send(ByteBuffer(string: event.data))
                default: continue
                }
            }
        }
    }

    /// Where to post to. Keys and messages go to the server's own origin and nowhere else.
    private func address(_ text: String) throws -> WebAddress {
        let own = http.endpoint.address
        let isAbsolute = text.hasPrefix("/") || text.lowercased().hasPrefix("http")
        let folder = own.target.prefix { $0 != "?" }.reversed().drop { $0 != "/" }.reversed()
        guard let address = own.resolving(isAbsolute ? text : String(folder) + text) else {
            throw Failure(.corrupted, "\(authority) names an address for messages that is none")
        }
        guard address.isSameOrigin(as: own) else {
            throw Failure(.forbidden, "\(authority) wants messages sent elsewhere, to \(address.authority)")
        }
        return address
    }

    private func send(_ bytes: ByteBuffer, to address: WebAddress) async throws {
        let response = try await http.execute(.POST, address, ["content-type": "application/json"], body: bytes)
        let text = try await response.body.collect(upTo: RemoteHTTP.maximumError)
        guard (200...299).contains(response.status.code) else {
            throw response.failure(of: address, String(buffer: text))
        }
    }
}
