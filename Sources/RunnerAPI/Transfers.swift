internal import Core
internal import Hub
internal import ModelStore
internal import OCI

/// Models on their way from and to registries and Hugging Face's hub, for the APIs that offer that.
struct Transfers: Sendable {
    let store: ModelStore
    let registry: Registry
    /// The hub with a request's token, where it brings one.
    let hub: @Sendable (_ token: String?) throws -> HuggingFace

    typealias Report = @Sendable (PullProgress) async throws -> Void
    /// Transfers, reports, and returns the message of success.
    typealias Work = @Sendable (_ report: @escaping Report) async throws -> String

    /// - Throws: `.invalidArgument` for what is no model's name.
    func pull(_ name: String, token: String?) throws -> Work {
        let reference = try ModelReference(parsing: name)
        let source = HubReference.isHub(name) ? (try HubReference(parsing: name), try hub(token)) : nil
        let stored = try source.map { try ModelReference(parsing: $0.0.description) } ?? reference
        return { [store, registry] report in
            let before = try? store.model(named: stored.canonical, partial: false).id
            let moved = Promise<Void>()
            let progress = { @Sendable (progress: PullProgress) in
                moved.fulfil(.success(()))
                try await report(progress)
            }
            let model =
                if let (name, hub) = source {
                    try await store.pull(name, from: hub, progress: progress)
                } else {
                    try await store.pull(reference, from: registry, progress: progress)
                }
            if moved.current != nil { return "Model pulled successfully" }
            return model.id == before
                ? "Using cached model: \(ByteCount(model.size).decimal)"
                : "Model pulled successfully; all of its files were here already"
        }
    }

    /// - Throws: `.unsupported` for the hub; `.notFound`.
    func push(_ name: String) throws -> Work {
        let reference = try ModelReference(parsing: name)
        guard !HubReference.isHub(name) else {
            throw Failure(
                .unsupported, "Hugging Face's hub takes files by git, not models by push",
                advice: "Give the model a registry's name with docker model tag, and push that")
        }
        _ = try store.model(named: name, partial: false)
        return { [store, registry] report in
            try await store.push(reference, to: registry, progress: report)
            return "Model pushed successfully"
        }
    }
}
