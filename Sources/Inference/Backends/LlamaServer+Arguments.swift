internal import Core
internal import SystemPackage

extension LlamaServer {
    /// Connections that are answered at the same time; by itself it has a thread for not many more than its slots, and
    /// leaves others unanswered, whatever they ask.
    static let connections = 64

    /// - Parameter base: what replaces the usual first arguments, as one line with quotes.
    static func arguments(for load: Load, context: Int?, socket: FilePath, base: String?) throws -> [String] {
        let configuration = load.configuration
        var arguments = ["--threads-http", String(connections)]
        arguments += try base.map(customBase) ?? ["-ngl", "999", "--metrics"]
        // The alias is what answers call the model; without it they would show a path on this machine.
        arguments += ["--model", load.files.weights.string, "--alias", load.modelName, "--host", socket.string]
        switch load.mode {
        case .completion:
            if let template = load.files.chatTemplate { arguments += ["--chat-template-file", template.string] }
            arguments += sampling(configuration.parameters)
            if let budget = configuration.reasoningBudget { arguments += ["--reasoning-budget", String(budget)] }
        case .embedding:
            arguments += ["--embeddings"]
            if let pooling = configuration.pooling { arguments += ["--pooling", pooling] }
        case .reranking: arguments += ["--embeddings", "--reranking"]
        }
        arguments += contextOptions(load, context)
        if let projector = load.files.multimodalProjector { arguments += ["--mmproj", projector.string] }
        for adapter in load.files.adapters { arguments += ["--lora", adapter.string] }
        if let draft = load.draft, load.mode == .completion {
            arguments += ["--model-draft", draft.weights.string]
            if let tokens = configuration.speculation?.maximumTokens {
                arguments += ["--spec-draft-n-max", String(tokens)]
            }
            if let least = configuration.speculation?.minimumProbability {
                arguments += ["--spec-draft-p-min", String(least)]
            }
        }
        // What somebody has configured comes last: the engine takes the last of two.
        return arguments + ["--jinja"] + configuration.runtimeFlags
    }

    /// Embeddings are made of whole texts at once: a batch must be able to hold one.
    private static let largestBatch = 8192

    private static func contextOptions(_ load: Load, _ context: Int?) -> [String] {
        var options: [String] = []
        switch load.configuration.context {
        // llama-server's word for the model's own maximum is 0.
        case .maximum: options += ["--ctx-size", "0"]
        case .fixed, .automatic:
            guard let context else { break }
            options += ["--ctx-size", String(context * (load.configuration.slots ?? 1))]
            if load.mode != .completion {
                let batch = String(min(context, largestBatch))
                options += ["--batch-size", batch, "--ubatch-size", batch]
            }
        }
        if let slots = load.configuration.slots { options += ["--parallel", String(slots)] }
        return options
    }

    /// What a model may decide about its answers, in this order. All are numbers, and nothing else is ever passed on.
    private static let samplingOptions = [
        ("temperature", "--temp"), ("top_k", "--top-k"), ("top_p", "--top-p"), ("min_p", "--min-p"),
        ("typical_p", "--typical"), ("repeat_last_n", "--repeat-last-n"), ("repeat_penalty", "--repeat-penalty"),
        ("presence_penalty", "--presence-penalty"), ("frequency_penalty", "--frequency-penalty"), ("seed", "--seed"),
        ("num_predict", "--predict"),
    ]

    private static func sampling(_ parameters: [String: String]) -> [String] {
        samplingOptions.flatMap { name, option -> [String] in
            guard let text = parameters[name], let number = Double(text), number.isFinite else { return [] }
            // A seed of -1 stands for another one each time, which is the engine's own way.
            return name == "seed" && number < 0 ? [] : [option, text]
        }
    }

    /// Options that decide what is loaded and where it listens belong to the runner.
    private static let reserved: Set<String> = [
        "-m", "--model", "--host", "--port", "--embedding", "--embeddings", "--mmproj", "-mm",
    ]

    private static func customBase(_ line: String) throws -> [String] {
        let words = try ShellWords.split(line)
        for word in words {
            let option = word.split(separator: "=", maxSplits: 1).first.map(String.init) ?? word
            if reserved.contains(option) {
                throw Failure(
                    .invalidArgument, "LLAMA_ARGS may not contain \(option)",
                    advice: "The runner sets it itself for every model.")
            }
        }
        return words
    }
}
