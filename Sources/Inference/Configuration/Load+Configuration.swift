package import Core

extension Load {
    /// How it is run, in the words in which that is configured.
    package var json: JSON {
        var configured = ModelConfiguration()
        configured.mode = mode
        configured.contextSize =
            switch configuration.context {
            case .automatic(let most): most
            case .fixed(let tokens): tokens
            case .maximum: -1
            }
        configured.slots = configuration.slots
        configured.runtimeFlags = configuration.runtimeFlags.isEmpty ? nil : configuration.runtimeFlags
        configured.reasoningBudget = configuration.reasoningBudget
        configured.draftModel = draft?.modelID
        configured.speculation = configuration.speculation
        configured.keepAlive = keepAlive
        configured.vllm = configuration.vllm
        return configured.json
    }
}
