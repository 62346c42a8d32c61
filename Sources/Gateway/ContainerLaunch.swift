internal import Core
package import DockerEngine
package import Toolkit

/// How a server's container is run: everything a server does not need is taken from it.
package struct ContainerLaunch: Sendable {
    package let server: Server
    package let settings: GatewaySettings
    /// Tells the containers of this gateway from those of others.
    package let owner: String

    package init(server: Server, settings: GatewaySettings = GatewaySettings(), owner: String) {
        self.server = server
        self.settings = settings
        self.owner = owner
    }

    /// A container's name: readable, and nobody else's.
    package var containerName: String { "docker-mcp-\(server.name)-\(Files.unique())" }

    package var values: LaunchValues {
        LaunchValues(server: server, values: settings.values, secrets: settings.secrets)
    }

    /// - Throws: `.unsupported` for a server that is no container.
    package func spec() throws -> ContainerSpec {
        guard let image = server.image else {
            throw Failure(.unsupported, "the MCP server \(server.name) has no image; only containers are run so far")
        }
        let values = values
        var spec = ContainerSpec(image: image)
        spec.command = values.command
        spec.environment = values.environment
        spec.labels = [
            "docker-mcp": "true", "docker-mcp-tool-type": "mcp", "docker-mcp-name": server.name,
            "docker-mcp-transport": "stdio", Owner.label: owner,
        ]
        spec.cpus = settings.cpus
        spec.memory = settings.memory
        spec.pidsLimit = settings.processes
        spec.networkMode = "none"
        spec.readOnlyRoot = true
        spec.tmpfs = ["/tmp": "rw,noexec,nosuid,nodev,size=64m"]
        spec.capDrop = ["ALL"]
        spec.securityOpt = ["no-new-privileges"]
        spec.useInit = true
        spec.user = server.user
        spec.autoRemove = true
        spec.openStdin = true
        spec.stdinOnce = true
        return spec
    }
}
