internal import Core
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// A request's surroundings: also the connection it came on, so that its end can be noticed.
struct HTTPContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    private let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }

    /// Fulfilled when the client has gone away.
    func disconnection() async throws -> Promise<Void> { try await DisconnectHandler.disconnection(of: channel) }

    /// Has something done when the client has gone away during this request; looked after from the delay on, so that
    /// answers that come at once cost nothing for it. The result is to be cancelled when it is not wanted any more.
    func ifDisconnected(after delay: Duration, _ body: @escaping @Sendable () -> Void) -> Scheduled<Void> {
        after(delay) { [channel] in DisconnectHandler.whenDisconnected(channel, body) }
    }

    /// Has something done later, unless the result is cancelled before.
    func after(_ delay: Duration, _ body: @escaping @Sendable () -> Void) -> Scheduled<Void> {
        channel.eventLoop.scheduleTask(in: .init(delay), body)
    }
}

extension HTTPField.Name {
    static let accelBuffering = known("X-Accel-Buffering")
    static let sessionID = known("Mcp-Session-Id")
    static let protocolVersion = known("MCP-Protocol-Version")
    static let lastEventID = known("Last-Event-ID")

    /// For names that are header names beyond doubt; the type has no initialiser without an optional.
    private static func known(_ name: String) -> HTTPField.Name { HTTPField.Name(name) ?? .via }
}
