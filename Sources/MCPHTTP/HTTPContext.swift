internal import Core
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
}
