internal import Core
internal import Inference
internal import ModelStore
internal import OCI
internal import Synchronization

/// Turns a stored model, what is configured for it and what one request wants into a `Load`.
struct LoadPlanner: Sendable {
    let store: ModelStore
    let configurations: ConfigurationFile
    private let scheduler: Scheduler
    private let shapes = Shapes()
    private let plans = LoadPlans()

    init(store: ModelStore, configurations: ConfigurationFile, scheduler: Scheduler) {
        self.store = store
        self.configurations = configurations
        self.scheduler = scheduler
    }

    private var backends: [String: any Backend] { scheduler.backends }

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
        let wish = LoadPlans.Wish(modelID: model.id, mode: mode, backend: backend, overrides: overrides)
        let revision = LoadPlans.Revision(store: store.revision, configurations: try configurations.revision())
        // What has to be started is planned anew: files may be gone, and memory is known better after each run.
        if let known = plans.load(wish, revision), scheduler.isReady(known) { return known }
        let load = try plan(model, mode: mode, backend: backend, overrides: overrides)
        plans.keep(load, wish, revision)
        return load
    }

    private func plan(_ model: Model, mode: Load.Mode?, backend: String?, overrides: LoadOverrides) throws -> Load {
        let backend = try self.backend(for: model, named: backend)
        let configured = try configurations.configuration(ofModel: model.id.description, names: model.tags)
        let bundle = try store.bundle(for: model)
        let mode = mode ?? configured.mode ?? .completion
        guard backend.modes.contains(mode) else {
            throw Failure(.unsupported, "the backend \(backend.name) does no \(mode.rawValue)")
        }
        // They may have been configured for another backend, which allows others.
        if let flags = configured.runtimeFlags { try backend.runtimeFlags.check(flags) }
        let draft = try self.draft(configured, mode)
        let key = self.key(model, configured, backend.name, mode, draft, overrides)
        return Load(
            key, modelName: model.tags.first ?? model.id.description,
            files: .init(
                weights: bundle.weights, chatTemplate: bundle.chatTemplate,
                multimodalProjector: bundle.multimodalProjector, adapters: bundle.adapters),
            draft: try draft.map { .init(modelID: $0.id.description, weights: try store.bundle(for: $0).weights) },
            keepAlive: overrides.keepAlive ?? configured.keepAlive ?? .standard,
            memory: estimate([model] + (draft.map { [$0] } ?? []), key, backend))
    }

    /// The backend that loads a model of this format: the named one, llama.cpp for GGUF, else one that is installed.
    ///
    /// - Throws: `.notFound` for one that is not known; `.unsupported` for one that does not know the format.
    private func backend(for model: Model, named name: String?) throws -> any Backend {
        let format = model.config.format.isEmpty ? "gguf" : model.config.format
        if let name, name != LlamaServer.backendName || format == "gguf" {
            guard let backend = backends[name] else { throw Failure(.notFound, "backend not found") }
            guard backend.formats.contains(format) else {
                throw Failure(.unsupported, "the backend \(name) does not load models of the format \(format)")
            }
            return backend
        }
        if format == "gguf", let llama = backends[LlamaServer.backendName] { return llama }
        let able = backends.values.filter { $0.formats.contains(format) }.sorted { $0.name > $1.name }
        if let backend = able.first(where: { (try? $0.executable()) != nil }) { return backend }
        let name = model.tags.first ?? model.id.short
        let names = able.map(\.name).sorted().joined(separator: ", ")
        throw Failure(
            able.isEmpty ? .unsupported : .failedPrecondition,
            "\(name) holds no GGUF file, it is \(format)"
                + (able.isEmpty
                    ? ", which no backend here loads" : "; of the backends for that none is installed: \(names)"),
            advice: "docker model status lists the backends.")
    }

    /// The name that requests to a load's runner have to use; nil where any will do.
    func servedName(_ load: Load) -> String? { backends[load.key.backend]?.servedName(load) }

    /// What a runner would be known by.
    func key(_ model: Model, _ configured: ModelConfiguration) throws -> Load.Key {
        let mode = configured.mode ?? .completion
        let backend = try self.backend(for: model, named: nil).name
        return self.key(model, configured, backend, mode, try self.draft(configured, mode), .init())
    }

    private func key(
        _ model: Model, _ configured: ModelConfiguration, _ backend: String, _ mode: Load.Mode, _ draft: Model?,
        _ overrides: LoadOverrides
    ) -> Load.Key {
        Load.Key(
            backend: backend, modelID: model.id.description, draftModelID: draft?.id.description, mode: mode,
            configuration: Self.effective(model, mode, configured, overrides))
    }

    /// - Throws: `.invalidArgument` for flags that the backend must not get; `.notFound` for a draft model that is not
    ///   there.
    func check(_ configuration: ModelConfiguration, for model: Model, backend: String?) throws {
        try self.backend(for: model, named: backend).runtimeFlags.check(configuration.runtimeFlags ?? [])
        _ = try draft(configuration, .completion)
    }

    /// What a runner would take, from the models' shapes and from what it took before.
    ///
    /// - Returns: nil for servers that are only described; what they take is theirs to know.
    private func estimate(_ models: [Model], _ key: Load.Key, _ backend: any Backend) -> MemoryEstimate? {
        guard key.backend == LlamaServer.backendName else { return nil }
        let devices = backend.devices
        let placement: MemoryEstimate.Placement =
            devices == .none || !backend.usesDevices(key.configuration) ? .host : devices.isUnified ? .unified : .device
        return MemoryEstimate(models.map(shapes.shape), for: key, placement: placement)
            .corrected(by: scheduler.measurements.run(of: key))
    }

    /// The name of a backend that is there.
    func name(of backend: String?) throws -> String {
        let name = backend ?? LlamaServer.backendName
        guard backends[name] != nil else { throw Failure(.notFound, "backend not found") }
        return name
    }

    private func draft(_ configuration: ModelConfiguration, _ mode: Load.Mode) throws -> Model? {
        guard mode == .completion, let name = configuration.draftModel else { return nil }
        do { return try store.model(named: name) } catch let failure as Failure {
            throw failure.during("the draft model \(name) cannot be used")
        }
    }

    /// What the model was packaged with, what is configured, and what the request wants; each goes over the one before.
    static func effective(
        _ model: Model, _ mode: Load.Mode, _ configured: ModelConfiguration, _ overrides: LoadOverrides
    ) -> EngineConfiguration {
        EngineConfiguration(
            context: context(model.config, overrides.contextSize ?? configured.contextSize),
            slots: configured.slots, runtimeFlags: configured.runtimeFlags ?? [],
            reasoningBudget: overrides.reasoningBudget ?? configured.reasoningBudget,
            speculation: configured.draftModel == nil ? nil : configured.speculation,
            parameters: model.customization.parameters.launch, vllm: configured.vllm,
            pooling: mode == .embedding && !model.config.hasPooling ? "mean" : nil)
    }

    /// - Parameter wanted: tokens that somebody has asked for or configured; -1 for the model's own maximum.
    static func context(_ config: ModelConfig, _ wanted: Int?) -> EngineConfiguration.Context {
        if let wanted { return wanted > 0 ? .fixed(wanted) : config.trainedContext.map { .fixed($0) } ?? .maximum }
        let usual = EngineConfiguration.usualContext
        guard let trained = config.trainedContext else { return .automatic(upTo: config.contextSize ?? usual) }
        // Many models are packaged with all they were made for, which is no choice of anybody's.
        if let packaged = config.contextSize, packaged != trained { return .automatic(upTo: packaged) }
        return .automatic(upTo: min(trained, usual))
    }
}

/// Models' shapes, which never change under their ID and take a moment to read from their metadata.
private final class Shapes: Sendable {
    private let known = Mutex<[Digest: ModelShape]>([:])

    func shape(_ model: Model) -> ModelShape {
        if let shape = known.withLock({ $0[model.id] }) { return shape }
        let config = model.config
        let shape = ModelShape(metadata: config.gguf, weights: model.size, quantization: config.quantization)
        known.withLock { known in
            if known.count >= 256 { known = [:] }
            known[model.id] = shape
        }
        return shape
    }
}

extension LoadPlanner {
    /// A model in the API's shape, with what is configured for it; that comes last, where there is anything.
    func json(_ model: Model) -> JSON {
        let configured = try? configurations.configuration(ofModel: model.id.description, names: model.tags)
        guard let configured, !configured.isEmpty, case .object(var object) = model.json else { return model.json }
        object["configuration"] = configured.json
        return .object(object)
    }
}
