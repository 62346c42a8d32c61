internal import Core
internal import DockerEngine
internal import MCP
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
        if let connector = settings.connector(server, launch.values) {
            (self.connector, warnings) = (connector, launch.values.warnings)
        } else if let engine {
            (connector, warnings) = (ContainerConnector(launch: launch, engine: engine), launch.warnings)
        } else {
            (connector, warnings) = (SiblingConnector(server: server.name), [])
        }
    }

    func isSame(as other: Deployment) -> Bool { sharing == other.sharing && launch.isSame(as: other.launch) }
}
