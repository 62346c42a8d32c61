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

    /// Whether a server that runs as the other says need not be started again for this one.
    func isSame(as other: ContainerLaunch) -> Bool {
        let (values, others) = (values, other.values)
        return server == other.server && settings.cpus == other.settings.cpus
            && settings.authorities == other.settings.authorities && settings.memory == other.settings.memory
            && settings.processes == other.settings.processes
            && settings.grants[server.name] == other.settings.grants[server.name] && values.command == others.command
            && values.volumes == others.volumes && values.environment.elementsEqual(others.environment, by: ==)
    }

    /// nil for a server that is not to be stopped.
    var idleTimeout: Duration? { server.isLongLived ? nil : settings.idleTimeout }

    package var values: LaunchValues {
        LaunchValues(server: server, values: settings.values, secrets: settings.secrets)
    }

    /// - Throws: `.unsupported` for a server that is no container; `.forbidden` when it asks for files that are not
    ///   granted.
    package func spec() throws -> ContainerSpec {
        guard let image = server.image else {
            throw Failure(.unsupported, "it has no image; only containers are run so far")
        }
        let values = values
        let grant = settings.grants[server.name]
        let mounts = try Mounts(values.volumes, of: server.name, grants: settings.grants)
        if let name = values.exposed.first {
            throw Failure(
                .unsupported,
                "its command has the secret variable \(name) in it, and everybody on this machine can read "
                    + "command lines", advice: "Use an entry whose server reads it from its environment.")
        }
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
        spec.networkMode = grant.network ?? "none"
        spec.readOnlyRoot = true
        for folder in ["/tmp"] + mounts.memory { spec.tmpfs[folder] = "rw,noexec,nosuid,nodev,size=64m" }
        spec.mounts = mounts.mounts
        spec.capDrop = ["ALL"]
        spec.securityOpt = ["no-new-privileges"]
        spec.useInit = true
        // On files of a person the server is that person, whatever its entry says.
        spec.user = mounts.owner ?? server.user
        spec.autoRemove = true
        spec.openStdin = true
        spec.stdinOnce = true
        return spec
    }

    /// The limits in words, for a person.
    package func limits(_ spec: ContainerSpec) -> String {
        var parts: [String] = []
        if let cpus = settings.cpus {
            parts.append("\(cpus == cpus.rounded() ? String(Int(cpus)) : String(cpus)) CPU")
        } else {
            parts.append("no CPU limit")
        }
        if let memory = settings.memory {
            parts.append(ByteCount(memory).binary.replacing(".00", with: "") + " without swap")
        } else {
            parts.append("no memory limit")
        }
        parts.append(settings.grants[server.name].network.map { "network \($0)" } ?? "no network")
        parts += spec.mounts.map { "\($0.isReadOnly ? "reads" : "writes") \($0.source)" }
        if !spec.mounts.contains(where: { $0.kind == .bind }) { parts.append("no host files") }
        parts += ["read-only root", "no capabilities", "at most \(settings.processes) processes"]
        return parts.joined(separator: ", ")
    }

    /// What a person should know before the server starts.
    var warnings: [String] {
        var warnings = values.warnings
        if server.wantsNetwork, settings.grants[server.name].network == nil {
            warnings.append(
                "the server \(server.name) may want a network and gets none; allow it with --allow-network \(server.name)"
            )
        }
        return warnings
    }
}
