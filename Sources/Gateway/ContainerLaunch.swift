internal import Core
package import DockerEngine
package import Toolkit

/// How a server's container is run: everything a server does not need is taken from it.
package struct ContainerLaunch: Sendable {
    package static let cpus = 1.0
    package static let memory: Int64 = 2 << 30
    package static let processes: Int64 = 256

    package let server: Server
    /// Tells the containers of this gateway from those of others.
    package let owner: String

    package init(server: Server, owner: String) {
        self.server = server
        self.owner = owner
    }

    /// A container's name: readable, and nobody else's.
    package var containerName: String { "docker-mcp-\(server.name)-\(Files.unique())" }

    /// - Throws: `.unsupported` for a server that is no container, or that needs what nobody has granted it.
    package func spec() throws -> ContainerSpec {
        guard let image = server.image else {
            throw Failure(.unsupported, "the MCP server \(server.name) has no image; only containers are run so far")
        }
        guard server.secrets.isEmpty else {
            let names = server.secrets.map(\.name).joined(separator: ", ")
            throw Failure(
                .unsupported, "the MCP server \(server.name) needs secrets (\(names)), which are not given yet")
        }
        var spec = ContainerSpec(image: image)
        spec.command = server.command
        // A value with a template would need the server's configuration, and an unset one is left out.
        spec.environment = server.environment.filter { !$0.value.isEmpty && !$0.value.contains("{{") }
            .map { ($0.name, $0.value) }
        spec.labels = [
            "docker-mcp": "true", "docker-mcp-tool-type": "mcp", "docker-mcp-name": server.name,
            "docker-mcp-transport": "stdio", "dev.wharf.owner": owner,
        ]
        spec.cpus = Self.cpus
        spec.memory = Self.memory
        spec.pidsLimit = Self.processes
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

    /// The limits in words, for a person.
    package var limits: String {
        "1 CPU, \(ByteCount(Self.memory).binary.replacing(".00", with: "")) without swap, no network, no host files, "
            + "read-only root, no capabilities, at most \(Self.processes) processes"
    }
}
