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
        // It asks the file system.
        let spec = try await withTaskExecutorPreference(globalConcurrentExecutor) { [launch] in try launch.spec() }
        try await requireOwnNetwork(spec.networkMode ?? "")
        return try await withContainer(spec, onProgress) { id in
            try await engine.withAttached(id) { attachment in
                try await started(id) {
                    await onProgress(.reached(place: id, limits: launch.limits(spec)))
                } while: {
                    try await body(AttachmentTransport(attachment) { await onProgress(.log($0)) })
                }
            }
        }
    }

    /// Starts a container while it is talked to already: the server finds the first message there when it runs, which is
    /// sooner than the engine says so.
    private func started<R: Sendable>(
        _ id: String, then onStart: @escaping @Sendable () async -> Void,
        while body: @escaping @Sendable () async throws -> R
    ) async throws -> R {
        let start = Promise<Void>()
        return try await withThrowingTaskGroup(of: R?.self) { group in
            group.addTask {
                let outcome = await Result { try await engine.startContainer(id) }
                start.fulfil(outcome)
                try outcome.get()
                await onStart()
                return nil
            }
            group.addTask {
                do { return try await body() } catch {
                    // Why it did not start says more than that it does not talk.
                    try await start.value
                    throw error
                }
            }
            defer { group.cancelAll() }
            while let outcome = try await group.next() { if let result = outcome { return result } }
            throw CancellationError()
        }
    }

    /// Makes the container, and removes it whatever happens, also where the task was cancelled.
    private func withContainer<R: Sendable>(
        _ spec: ContainerSpec, _ onProgress: @escaping @Sendable (ConnectionStep) async -> Void,
        _ body: @escaping @Sendable (String) async throws -> R
    ) async throws -> R {
        // Not cancellable half-way: a container that was made but whose id nobody learnt would stay.
        let (engine, name) = (engine, launch.containerName)
        func make() async -> Result<String, any Error> {
            await shielded { await Result { try await engine.createContainer(spec, name: name) } }
        }
        var made = await make()
        if case .failure(let failure as Failure) = made, failure.code == .notFound {
            try await makeImageAvailable(spec.image)
            made = await make()
        }
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
