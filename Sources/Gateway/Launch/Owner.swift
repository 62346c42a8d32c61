internal import Core
internal import DockerEngine

/// Whose a container is. Written on every container, so that what a killed gateway left can be told from what lives.
enum Owner {
    static let label = "dev.wharf.owner"

    /// A new owner: this process, and one of its gateways.
    static func make() -> String {
        "\(ProcessIdentity.current?.description ?? "unknown")/\(Files.unique())"
    }

    /// Tidies up after gateways that were killed, and tells of it.
    static func sweep(_ engine: Engine, _ onEvent: @Sendable (GatewayEvent) async -> Void) async {
        let orphans = await removeOrphans(engine)
        if orphans > 0 { await onEvent(.sweptUp(containers: orphans)) }
    }

    /// Removes the containers of gateways that have ended without doing so themselves.
    ///
    /// - Returns: how many. What cannot be judged, or belongs to somebody who lives, is left alone.
    static func removeOrphans(_ engine: Engine) async -> Int {
        let ours = ["docker-mcp": "true"]
        guard let containers = try? await engine.listContainers(labels: ours, all: true) else { return 0 }
        var removed = 0
        for container in containers {
            guard let id = container["Id"]?.string, let owner = container["Labels"]?[label]?.string, isOrphan(owner)
            else { continue }
            if (try? await engine.removeContainer(id, force: true)) != nil { removed += 1 }
        }
        return removed
    }

    static func isOrphan(_ owner: String) -> Bool {
        guard let mark = owner.lastIndex(of: "/") else { return false }
        return ProcessIdentity(owner[..<mark])?.hasEnded ?? false
    }
}
