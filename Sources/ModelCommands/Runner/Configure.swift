internal import ArgumentParser
internal import Commands
internal import Core
internal import Inference
internal import NIOHTTP1
internal import Terminal

struct Configure: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Decide how a model runs, for good",
        usage: "docker model configure [OPTIONS] MODEL [-- RUNTIME-FLAG...] | show [MODEL]",
        discussion: """
            What is decided stays until it is decided otherwise: it survives unloading and the daemon's end, and what an \
            option does not name stays as it is. --unset takes a decision back. It counts from the model's next load on.

            Runtime flags after -- go to the engine; those that name files or addresses are refused.
            """, aliases: ["config"])

    enum Setting: String, CaseIterable, ExpressibleByArgument {
        case contextSize = "context-size"
        case keepAlive = "keep-alive"
        case mode
        case reasoningBudget = "reasoning-budget"
        case runtimeFlags = "runtime-flags"
        case slots
        case speculative
        case vllm
        case all
    }

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Tokens of context; -1 for as many as the model was made for.", valueName: "tokens"))
    var contextSize: Int?
    @Option(help: ArgumentHelp("Requests answered at the same time, each with a whole context.", valueName: "number"))
    var slots: Int?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How long it stays loaded after its last use: 5m, 0, -1 for ever.", valueName: "duration"))
    var keepAlive: String?
    @Option(help: ArgumentHelp("completion, embedding or reranking.", valueName: "mode")) var mode: Inference.Load.Mode?
    @Flag(inversion: .prefixedNo, help: "Let the model reason before it answers.") var think: Bool?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Tokens it may reason; -1 for no limit, 0 for none.", valueName: "tokens"))
    var reasoningBudget: Int?
    @Option(help: ArgumentHelp("A small model that guesses ahead.", valueName: "model"))
    var speculativeDraftModel: String?
    @Option(help: ArgumentHelp("Tokens guessed at a time.", valueName: "tokens")) var speculativeNumTokens: Int?
    @Option(help: ArgumentHelp("How sure a guess must be, 0 to 1.", valueName: "probability"))
    var speculativeMinAcceptanceRate: Double?
    @Option(
        name: [.customLong("hf_overrides"), .customLong("hf-overrides")],
        help: ArgumentHelp("For vLLM: members of the model's configuration to replace, as JSON.", valueName: "json"))
    var overrides: String?
    @Option(help: ArgumentHelp("For vLLM: the share of the GPU's memory, 0 to 1.", valueName: "share"))
    var gpuMemoryUtilization: Double?
    @Option(help: ArgumentHelp("For this backend only its flags are allowed.", valueName: "backend"))
    var backend: String?
    @Option(help: ArgumentHelp("Take a decision back; may be repeated.", valueName: "setting")) var unset: [Setting] =
        []
    @Argument(help: "The model; or show.") var model: String
    @Argument(help: "With show: only this model.") var shown: String?
    @Argument(parsing: .postTerminator, help: ArgumentHelp("Options for the engine.", visibility: .hidden))
    var runtimeFlags: [String] = []

    func validate() throws {
        if model != "show", shown != nil {
            throw ValidationError("one model at a time; flags for the engine come after --")
        }
        if think != nil, reasoningBudget != nil {
            throw ValidationError("--think and --reasoning-budget cannot be used together")
        }
    }

    func run() async throws {
        if model == "show" { return try await show() }
        let body = try body()
        let path = backend.map { "/engines/\(RunnerEndpoint.percentEncoded($0))/_configure" } ?? "/engines/_configure"
        try await RunnerClient.with { client in
            do { _ = try await client.json(.POST, path, body: body) } catch let failure as Failure
                where failure.code == .notFound && failure.message.hasPrefix("model not found")
            { throw Failure.noSuchModel(model) }
        }
    }

    private func show() async throws {
        let query = shown.map { "?model=\(RunnerEndpoint.percentEncoded($0))" } ?? ""
        let list = try await RunnerClient.with { try await $0.json(.GET, "/engines/_configure\(query)") }
        CommandContext.current.console.out.print(list.text(indent: 2))
    }

    /// Only what was given: what is absent stays as it is, what is null is taken back.
    func body() throws -> JSON {
        var body = JSON.Object([("model", .string(model))])
        for setting in unset.contains(.all) ? Setting.allCases : unset { Self.unset(setting, &body) }
        if let mode { body["mode"] = .string(mode.rawValue) }
        if let contextSize { body["context-size"] = .int(contextSize) }
        if let slots { body["slots"] = .int(slots) }
        if let keepAlive { body["keep_alive"] = .string(keepAlive) }
        if !runtimeFlags.isEmpty { body["runtime-flags"] = .array(runtimeFlags.map { .string($0) }) }
        if let budget = reasoningBudget ?? think.map({ $0 ? -1 : 0 }) {
            body["llamacpp"] = ["reasoning-budget": .int(budget)]
        }
        var speculative = JSON.Object()
        if let speculativeDraftModel { speculative["draft_model"] = .string(speculativeDraftModel) }
        if let speculativeNumTokens { speculative["num_tokens"] = .int(speculativeNumTokens) }
        if let rate = speculativeMinAcceptanceRate { speculative["min_acceptance_rate"] = .number(String(rate)) }
        if !speculative.isEmpty { body["speculative"] = .object(speculative) }
        var vllm = JSON.Object()
        if let gpuMemoryUtilization { vllm["gpu-memory-utilization"] = .number(String(gpuMemoryUtilization)) }
        if let overrides {
            do { vllm["hf-overrides"] = try JSON(parsing: overrides) } catch {
                throw Failure(.invalidArgument, "--hf_overrides is not JSON", cause: error)
            }
        }
        if !vllm.isEmpty { body["vllm"] = .object(vllm) }
        return .object(body)
    }

    private static func unset(_ setting: Setting, _ body: inout JSON.Object) {
        switch setting {
        case .all: break
        case .keepAlive: body["keep_alive"] = .null
        case .reasoningBudget: body["llamacpp"] = ["reasoning-budget": .null]
        case .contextSize, .mode, .runtimeFlags, .slots, .speculative, .vllm: body[setting.rawValue] = .null
        }
    }
}

extension Inference.Load.Mode: ExpressibleByArgument {}
