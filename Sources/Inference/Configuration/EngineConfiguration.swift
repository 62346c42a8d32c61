/// Everything that decides how an engine is started for a model, once all that has a say has said it.
///
/// Part of a runner's key: two requests share a runner only where this is the same.
package struct EngineConfiguration: Sendable, Hashable {
    /// Tokens of context.
    package enum Context: Sendable, Hashable {
        /// What was neither asked for nor configured: so many, or fewer where memory is short.
        case automatic(upTo: Int)
        /// Exactly so many, or an answer that says why not.
        case fixed(Int)
        /// As many as the model was made for.
        case maximum
    }

    /// How a small model guesses ahead for a large one.
    package struct Speculation: Sendable, Hashable {
        /// Tokens guessed at a time; nil leaves it to the engine.
        package var maximumTokens: Int?
        /// How sure the guess must be, 0…1; nil leaves it to the engine.
        package var minimumProbability: Double?

        package init(maximumTokens: Int? = nil, minimumProbability: Double? = nil) {
            self.maximumTokens = maximumTokens
            self.minimumProbability = minimumProbability
        }
    }

    package var context: Context
    /// Requests that are answered at the same time, each with a whole context of its own; nil leaves it to the engine.
    package var slots: Int?
    /// Checked options for the engine, as they were given.
    package var runtimeFlags: [String]
    /// Tokens of reasoning; -1 for no limit, 0 for none; nil leaves it to the model.
    package var reasoningBudget: Int?
    package var speculation: Speculation?
    /// What answers are made with where a request says nothing: numbers as texts, by their names in Ollama's Modelfile.
    /// Names that the engine has no option for are passed over.
    package var parameters: [String: String]
    package var vllm: VLLMOptions?

    package init(
        context: Context = .automatic(upTo: Self.usualContext), slots: Int? = nil, runtimeFlags: [String] = [],
        reasoningBudget: Int? = nil, speculation: Speculation? = nil, parameters: [String: String] = [:],
        vllm: VLLMOptions? = nil
    ) {
        self.context = context
        self.slots = slots
        self.runtimeFlags = runtimeFlags
        self.reasoningBudget = reasoningBudget
        self.speculation = speculation
        self.parameters = parameters
        self.vllm = vllm
    }

    /// Tokens that nobody has chosen: enough for a conversation with tools, affordable with the models of a laptop.
    package static let usualContext = 8192
}
