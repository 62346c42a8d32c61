package import SystemPackage

/// What a runner is asked to hold: one model's files for one kind of work.
///
/// An object, though a value in all other respects: every request passes it on many times.
package final class Load: Sendable, Hashable {
    /// The kind of work, which decides how the engine is started.
    package enum Mode: String, Sendable, Hashable, CaseIterable {
        case completion
        case embedding
        case reranking
    }

    /// What makes two loads the same runner.
    package struct Key: Sendable, Hashable {
        package let backend: String
        package let modelID: String
        package let draftModelID: String?
        package let mode: Mode
        package let configuration: EngineConfiguration

        package init(
            backend: String, modelID: String, draftModelID: String? = nil, mode: Mode = .completion,
            configuration: EngineConfiguration = .init()
        ) {
            self.backend = backend
            self.modelID = modelID
            self.draftModelID = draftModelID
            self.mode = mode
            self.configuration = configuration
        }
    }

    /// A model's files on this machine.
    package struct ModelFiles: Sendable, Hashable {
        /// The GGUF file, or the first of several; for other formats the folder.
        package var weights: FilePath
        package var chatTemplate: FilePath?
        package var multimodalProjector: FilePath?
        /// LoRA adapters to put on the weights, in this order.
        package var adapters: [FilePath]

        package init(
            weights: FilePath, chatTemplate: FilePath? = nil, multimodalProjector: FilePath? = nil,
            adapters: [FilePath] = []
        ) {
            self.weights = weights
            self.chatTemplate = chatTemplate
            self.multimodalProjector = multimodalProjector
            self.adapters = adapters
        }
    }

    /// A smaller model that guesses ahead.
    package struct Draft: Sendable, Hashable {
        package var modelID: String
        package var weights: FilePath

        package init(modelID: String, weights: FilePath) {
            self.modelID = modelID
            self.weights = weights
        }
    }

    package let key: Key
    /// The model's name as it was asked for, for people.
    package let modelName: String
    package let files: ModelFiles
    package let draft: Draft?
    /// How long the runner stays after this use. Not part of the key: the latest request decides.
    package let keepAlive: KeepAlive

    /// What it will take; nil where nothing is known, which is never refused.
    package let memory: MemoryEstimate?

    package var configuration: EngineConfiguration { key.configuration }
    package var mode: Mode { key.mode }

    /// The contexts it may be started with, the wanted one first; nil where the engine finds out itself.
    var contexts: [Int?] {
        switch configuration.context {
        case .fixed(let tokens): return [tokens]
        case .maximum: return [nil]
        case .automatic(let most):
            var steps: [Int?] = [most]
            var step = 1
            while step <= most / 4 { step *= 2 }
            // Powers of two below, as long as a conversation still fits.
            while step >= Self.smallestContext {
                steps.append(step)
                step /= 2
            }
            return steps
        }
    }

    static let smallestContext = 1024

    /// Whether a runner for the one is a runner for the other.
    func isSame(as other: Load) -> Bool { self === other || key == other.key }

    package static func == (a: Load, b: Load) -> Bool {
        a === b
            || a.key == b.key && a.modelName == b.modelName && a.files == b.files && a.draft == b.draft
                && a.keepAlive == b.keepAlive && a.memory == b.memory
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(key) }

    /// What it takes with a context.
    func needs(context: Int?) -> Memory { memory?.memory(context: context) ?? .zero }

    package init(
        _ key: Key, modelName: String, files: ModelFiles, draft: Draft? = nil, keepAlive: KeepAlive = .standard,
        memory: MemoryEstimate? = nil
    ) {
        self.key = key
        self.modelName = modelName
        self.files = files
        self.draft = draft
        self.keepAlive = keepAlive
        self.memory = memory
    }

    package convenience init(
        backend: String, modelID: String, modelName: String, mode: Mode = .completion, files: ModelFiles,
        draft: Draft? = nil, configuration: EngineConfiguration = .init(), keepAlive: KeepAlive = .standard,
        memory: MemoryEstimate? = nil
    ) {
        let key = Key(
            backend: backend, modelID: modelID, draftModelID: draft?.modelID, mode: mode, configuration: configuration)
        self.init(key, modelName: modelName, files: files, draft: draft, keepAlive: keepAlive, memory: memory)
    }
}
