internal import Core
internal import Inference
internal import ModelStore
internal import OCI

/// Turns a stored model, what is configured for it and what one request wants into a `Load`.
struct LoadPlanner: Sendable {
    let store: ModelStore
    let configurations: ConfigurationFile
    private let backends: [String: any Backend]

    init(store: ModelStore, configurations: ConfigurationFile, backends: [String: any Backend]) {
        self.store = store
        self.configurations = configurations
        self.backends = backends
    }

    /// - Parameters:
    ///   - mode: nil takes the configured one, else completion.
    ///   - backend: nil takes llama.cpp.
    /// - Throws: `.notFound` for an unknown model, draft model or backend; what `ModelStore.bundle` throws.
    func load(
        model name: String, mode: Load.Mode?, backend: String? = nil, overrides: LoadOverrides = .init()
    ) throws -> Load {
        try load(store.model(named: name), mode: mode, backend: backend, overrides: overrides)
    }

    /// The same for a model that has been looked up.
    func load(
        _ model: Model, mode: Load.Mode?, backend: String? = nil, overrides: LoadOverrides = .init()
    ) throws -> Load {
        let backend = try name(of: backend)
        let configured = try configurations.configuration(ofModel: model.id.description, names: model.tags)
        let bundle = try store.bundle(for: model)
        let mode = mode ?? configured.mode ?? .completion
        let draft = try mode == .completion ? configured.draftModel.map(draft) : nil
        var effective = Self.effective(model, configured, overrides)
        if mode == .embedding, backend == LlamaServer.backendName { Self.choosePooling(model, &effective) }
        return Load(
            backend: backend, modelID: model.id.description, modelName: model.tags.first ?? model.id.description,
            mode: mode,
            files: .init(
                weights: bundle.weights, chatTemplate: bundle.chatTemplate,
                multimodalProjector: bundle.multimodalProjector, adapters: bundle.adapters),
            draft: draft, configuration: effective,
            keepAlive: overrides.keepAlive ?? configured.keepAlive ?? .standard)
    }

    /// The name of a backend that is there.
    func name(of backend: String?) throws -> String {
        let name = backend ?? LlamaServer.backendName
        guard backends[name] != nil else { throw Failure(.notFound, "backend not found") }
        return name
    }

    private func draft(_ name: String) throws -> Load.Draft {
        do {
            let model = try store.model(named: name)
            return Load.Draft(modelID: model.id.description, weights: try store.bundle(for: model).weights)
        } catch let failure as Failure {
            throw failure.during("the draft model \(name) cannot be used")
        }
    }

    /// Models that were not made for embeddings do not say how one vector is made of those of all tokens, and
    /// llama.cpp then makes none.
    private static func choosePooling(_ model: Model, _ configuration: inout EngineConfiguration) {
        let metadata = model.config.gguf
        let architecture = metadata["general.architecture"] ?? model.config.architecture
        guard metadata["\(architecture).pooling_type"] == nil, !configuration.runtimeFlags.contains("--pooling") else {
            return
        }
        configuration.runtimeFlags = ["--pooling", "mean"] + configuration.runtimeFlags
    }

    /// What the model was packaged with, what is configured, and what the request wants; each goes over the one before.
    static func effective(
        _ model: Model, _ configured: ModelConfiguration, _ overrides: LoadOverrides
    ) -> EngineConfiguration {
        EngineConfiguration(
            context: context(model.config, overrides.contextSize ?? configured.contextSize),
            slots: configured.slots, runtimeFlags: configured.runtimeFlags ?? [],
            reasoningBudget: overrides.reasoningBudget ?? configured.reasoningBudget,
            speculation: configured.draftModel == nil ? nil : configured.speculation,
            parameters: model.customization.parameters.launch, vllm: configured.vllm)
    }

    /// - Parameter wanted: tokens that somebody has asked for or configured; -1 for the model's own maximum.
    static func context(_ config: ModelConfig, _ wanted: Int?) -> EngineConfiguration.Context {
        if let wanted { return wanted > 0 ? .fixed(wanted) : .maximum }
        let usual = EngineConfiguration.usualContext
        guard let trained = config.trainedContext else { return .automatic(upTo: config.contextSize ?? usual) }
        // Many models are packaged with all they were made for, which is no choice of anybody's.
        if let packaged = config.contextSize, packaged != trained { return .automatic(upTo: packaged) }
        return .automatic(upTo: min(trained, usual))
    }
}
