package import Core

/// What somebody has decided about how a model runs. What is nil was not decided.
///
/// Its JSON is the body of `POST /engines/_configure`, without the model.
package struct ModelConfiguration: Sendable, Hashable {
    /// The kind of work it is loaded for where a request does not say.
    package var mode: Load.Mode?
    /// Tokens; -1 for as many as the model was made for.
    package var contextSize: Int?
    package var runtimeFlags: [String]?
    /// The name of a smaller model that guesses ahead.
    package var draftModel: String?
    package var speculation: EngineConfiguration.Speculation?
    package var reasoningBudget: Int?
    package var keepAlive: KeepAlive?
    package var slots: Int?
    package var vllm: VLLMOptions?

    package init() {}

    package var isEmpty: Bool { self == ModelConfiguration() }

    static let maximumFlags = 128
    static let maximumSlots = 64

    /// This with what a request says on top. A member that is null takes the decision back; one that is absent, or
    /// that we do not know, changes nothing.
    ///
    /// - Throws: `.invalidArgument` for values that cannot be, naming the member.
    package func merging(_ request: JSON) throws -> ModelConfiguration {
        var result = self
        func take<Value>(
            _ name: String, in json: JSON?, _ place: WritableKeyPath<Self, Value?>, _ read: (JSON) throws -> Value?
        )
            throws
        {
            guard let given = json?[name] else { return }
            if given.isNull {
                result[keyPath: place] = nil
            } else if let value = try read(given) {
                result[keyPath: place] = value
            } else {
                throw Failure(.invalidArgument, "\(name) cannot be \(String(given.text.prefix(60)))")
            }
        }
        // Go's clients send what they have nothing to say about as an empty text.
        if request["mode"]?.string != "" { try take("mode", in: request, \.mode) { $0.string.flatMap(Load.Mode.init) } }
        try take("context-size", in: request, \.contextSize) { Self.whole($0, in: -1...Int(Int32.max)) }
        if result.contextSize == 0 { result.contextSize = nil }
        try take("runtime-flags", in: request, \.runtimeFlags, Self.flags)
        if let line = request["raw-runtime-flags"]?.string, !line.isEmpty {
            result.runtimeFlags = try ShellWords.split(line)
        }
        if result.runtimeFlags?.isEmpty == true { result.runtimeFlags = nil }
        try take("keep_alive", in: request, \.keepAlive) { KeepAlive($0) }
        try take("slots", in: request, \.slots) { Self.whole($0, in: 1...Self.maximumSlots) }
        try take("vllm", in: request, \.vllm) { try VLLMOptions($0) }
        if let llama = request["llamacpp"] {
            if llama.isNull { result.reasoningBudget = nil }
            try take("reasoning-budget", in: llama, \.reasoningBudget) { Self.whole($0, in: -1...Int(Int32.max)) }
        }
        if let speculative = request["speculative"] { try result.takeSpeculative(speculative) }
        guard (result.runtimeFlags ?? []).count <= Self.maximumFlags else {
            throw Failure(.invalidArgument, "more than \(Self.maximumFlags) runtime flags")
        }
        return result
    }

    private mutating func takeSpeculative(_ json: JSON) throws {
        if json.isNull {
            (draftModel, speculation) = (nil, nil)
            return
        }
        guard let object = json.object else { throw Failure(.invalidArgument, "speculative must be an object") }
        var settings = speculation ?? .init()
        if let name = object["draft_model"] {
            guard name.isNull || name.string != nil else {
                throw Failure(.invalidArgument, "draft_model must be a name")
            }
            draftModel = name.string.flatMap { $0.isEmpty ? nil : $0 }
        }
        if let tokens = object["num_tokens"] {
            guard tokens.isNull || Self.whole(tokens, in: 0...1024) != nil else {
                throw Failure(.invalidArgument, "num_tokens must be a whole number from 0 to 1024")
            }
            settings.maximumTokens = tokens.int.flatMap { $0 == 0 ? nil : $0 }
        }
        if let rate = object["min_acceptance_rate"] {
            guard rate.isNull || rate.double.map({ (0...1).contains($0) }) == true else {
                throw Failure(.invalidArgument, "min_acceptance_rate must be a number from 0 to 1")
            }
            settings.minimumProbability = rate.double.flatMap { $0 == 0 ? nil : $0 }
        }
        speculation = settings == .init() ? nil : settings
    }

    private static func whole(_ json: JSON, in range: ClosedRange<Int>) -> Int? {
        json.int.flatMap { range.contains($0) ? $0 : nil }
    }

    private static func flags(_ json: JSON) -> [String]? {
        guard let list = json.array else { return nil }
        let flags = list.compactMap(\.string)
        return flags.count == list.count ? flags : nil
    }

    /// What has been decided, in the words of the request.
    package var json: JSON {
        var object = JSON.Object()
        if let mode { object["mode"] = .string(mode.rawValue) }
        if let contextSize { object["context-size"] = .int(contextSize) }
        if let runtimeFlags { object["runtime-flags"] = .array(runtimeFlags.map { .string($0) }) }
        if draftModel != nil || speculation != nil {
            var speculative = JSON.Object()
            if let draftModel { speculative["draft_model"] = .string(draftModel) }
            if let tokens = speculation?.maximumTokens { speculative["num_tokens"] = .int(tokens) }
            if let rate = speculation?.minimumProbability { speculative["min_acceptance_rate"] = .number(String(rate)) }
            object["speculative"] = .object(speculative)
        }
        if let keepAlive { object["keep_alive"] = .string(keepAlive.text) }
        if let slots { object["slots"] = .int(slots) }
        if let reasoningBudget { object["llamacpp"] = ["reasoning-budget": .int(reasoningBudget)] }
        if let vllm { object["vllm"] = vllm.json }
        return .object(object)
    }
}
