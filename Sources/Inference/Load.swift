package import SystemPackage

/// What a runner is asked to hold: one model's files for one kind of work.
package struct Load: Sendable, Hashable {
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

    package var configuration: EngineConfiguration { key.configuration }
    package var mode: Mode { key.mode }

    /// Tokens to start with; nil where the engine finds out itself.
    var plannedContext: Int? {
        switch configuration.context {
        case .automatic(let tokens), .fixed(let tokens): tokens
        case .maximum: nil
        }
    }

    package init(
        backend: String, modelID: String, modelName: String, mode: Mode = .completion, files: ModelFiles,
        draft: Draft? = nil, configuration: EngineConfiguration = .init(), keepAlive: KeepAlive = .standard
    ) {
        key = Key(
            backend: backend, modelID: modelID, draftModelID: draft?.modelID, mode: mode, configuration: configuration)
        self.modelName = modelName
        self.files = files
        self.draft = draft
        self.keepAlive = keepAlive
    }
}
