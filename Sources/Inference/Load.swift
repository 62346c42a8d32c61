package import SystemPackage

/// What a runner is asked to hold: one model's files for one kind of work.
package struct Load: Sendable, Hashable {
    /// The kind of work, which decides how the engine is started.
    package enum Mode: String, Sendable, Hashable {
        case completion
        case embedding
        case reranking
    }

    /// What makes two loads the same runner.
    package struct Key: Sendable, Hashable {
        package let backend: String
        package let modelID: String
        package let mode: Mode
    }

    package let key: Key
    /// The model's name as it was asked for, for people.
    package let modelName: String
    package let weights: FilePath
    package let chatTemplate: FilePath?
    package let multimodalProjector: FilePath?
    /// Tokens; nil leaves it to the engine, -1 asks for the model's own maximum.
    package let contextSize: Int?
    /// LoRA adapters to put on the weights.
    package let adapters: [FilePath]
    /// What answers are made with where a request says nothing: numbers as texts, by their names in Ollama's Modelfile.
    /// Names that the engine has no option for are passed over.
    package let parameters: [String: String]

    package init(
        backend: String, modelID: String, modelName: String, mode: Mode = .completion, weights: FilePath,
        chatTemplate: FilePath? = nil, multimodalProjector: FilePath? = nil, contextSize: Int? = nil,
        adapters: [FilePath] = [], parameters: [String: String] = [:]
    ) {
        key = Key(backend: backend, modelID: modelID, mode: mode)
        self.modelName = modelName
        self.weights = weights
        self.chatTemplate = chatTemplate
        self.multimodalProjector = multimodalProjector
        self.contextSize = contextSize
        self.adapters = adapters
        self.parameters = parameters
    }
}
