internal import Core
internal import DockerEngine
internal import MCP

/// Runs a server in a container of its own, under the strict defaults, for as long as it is used.
struct ContainerConnector: Connector {
    let launch: ContainerLaunch
    let engine: Engine

    func connect<R: Sendable>(
        onProgress: @escaping @Sendable (ConnectionStep) async -> Void,
        _ body: @escaping @Sendable (any Transport) async throws -> R
    ) async throws -> R {
        let spec = try launch.spec()
        try await requireOwnNetwork(spec.networkMode ?? "")
        try await makeImageAvailable(spec.image)
        return try await withContainer(spec, onProgress) { id in
            try await engine.withAttached(id) { attachment in
                try await engine.startContainer(id)
                await onProgress(.reached(place: id, limits: launch.limits(spec)))
                return try await body(AttachmentTransport(attachment) { await onProgress(.log($0)) })
            }
        }
    }

    /// Makes the container, and removes it whatever happens, also where the task was cancelled.
    private func withContainer<R: Sendable>(
        _ spec: ContainerSpec, _ onProgress: @escaping @Sendable (ConnectionStep) async -> Void,
        _ body: @escaping @Sendable (String) async throws -> R
    ) async throws -> R {
        // Not cancellable half-way: a container that was made but whose id nobody learnt would stay.
        let (engine, name) = (engine, launch.containerName)
        let made = await shielded { await Result { try await engine.createContainer(spec, name: name) } }
        let id = try made.get()
        let outcome = await Result { try await body(id) }
        await shielded { try? await engine.removeContainer(id, force: true) }
        await onProgress(.removed(place: id))
        return try outcome.get()
    }

    /// The network of a container may be that of yet another one, and in the end the machine's own.
    private func requireOwnNetwork(_ mode: String) async throws {
        var mode = mode
        for _ in 0..<8 where mode.hasPrefix("container:") {
            let found = try await engine.inspectContainer(String(mode.dropFirst("container:".count)))
            mode = found["HostConfig"]?["NetworkMode"]?.string ?? ""
        }
        guard mode != "host", !mode.hasPrefix("container:") else {
            throw Failure(
                .forbidden, "the network it was granted is the machine's own", advice: "Grant another network.")
        }
    }

    private func makeImageAvailable(_ image: String) async throws {
        if try await engine.imageID(image) != nil { return }
        do { try await engine.pullImage(image) { _ in } } catch {
            throw Failure(
                .notFound, "its image \(image) is not on this machine and cannot be pulled", cause: error,
                advice: "Check the image's name in the catalog, or build it.")
        }
    }
}

extension Result where Failure == any Error {
    init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
