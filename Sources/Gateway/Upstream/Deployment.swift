internal import Core
internal import DockerEngine
internal import MCP
internal import MCPHTTP
internal import Toolkit

/// Who uses one running server.
package enum Sharing: String, Sendable, CaseIterable {
    /// Each call has one of its own.
    case call
    /// Each client's session has one of its own.
    case session
    /// All clients use one: only for servers that remember nothing of whom they talk to.
    case shared
}

/// One of the gateway's servers, and how it is run; replaced by another one when its configuration changes.
final class Deployment: Sendable {
    let server: Server
    let launch: ContainerLaunch
    let connector: any Connector
    let sharing: Sharing
    /// Told once, before the first start.
    let warnings: [String]

    /// - Parameter engine: nil where the servers run beside the gateway.
    init(server: Server, settings: GatewaySettings, owner: String, engine: Engine?) {
        self.server = server
        launch = ContainerLaunch(server: server, settings: settings, owner: owner)
        sharing = server.isStateless ? .shared : settings.sharing
        (connector, warnings) = Self.way(to: server, launch, engine)
    }

    private static func way(
        to server: Server, _ launch: ContainerLaunch, _ engine: Engine?
    ) -> (any Connector, warnings: [String]) {
        if let connector = launch.settings.connector(server) { return (connector, []) }
        if let remote = server.remote {
            do {
                let remote = try RemoteLaunch(server: server, remote: remote, settings: launch.settings)
                return (RemoteConnector(remote.endpoint), remote.warnings)
            } catch {
                return (NoConnector(reason: Failure.wrapping(error, "its entry cannot be used")), [])
            }
        }
        if let engine { return (ContainerConnector(launch: launch, engine: engine), launch.warnings) }
        return (SiblingConnector(server: server.name), [])
    }

    func isSame(as other: Deployment) -> Bool { sharing == other.sharing && launch.isSame(as: other.launch) }
}

/// A server that cannot be reached, which is told when somebody wants it.
private struct NoConnector: Connector {
    let reason: Failure

    func connect<R: Sendable>(
        onProgress: @escaping @Sendable (ConnectionStep) async -> Void,
        _ body: @escaping @Sendable (any Transport) async throws -> R
    ) async throws -> R { throw reason }
}
