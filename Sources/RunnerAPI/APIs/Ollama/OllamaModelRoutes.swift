internal import Core
internal import HTTPTypes
internal import Hummingbird
internal import Inference
internal import ModelStore
internal import NIOCore
internal import OCI

/// Ollama's routes about models that are here: listed, shown, copied, deleted, running.
struct OllamaModelRoutes: Sendable {
    let store: ModelStore
    let scheduler: Scheduler
    let configurations: ConfigurationFile

    static let maximumRequest = 4 << 20

    func add(to router: Router<Context>) {
        router.get("/api/tags") { _, _ in Response.json(["models": .array(try tags())]) }
        router.get("/api/ps") { _, _ in Response.json(["models": .array(running())]) }
        router.post("/api/show") { request, _ in
            let body = try await Self.body(request)
            return Response.json(try show(try store.model(named: Self.model(in: body))))
        }
        router.post("/api/copy") { request, _ in
            let body = try await Self.body(request)
            guard let source = body["source"]?.string, let target = body["destination"]?.string, !target.isEmpty else {
                throw Failure(.invalidArgument, "source and destination are required")
            }
            _ = try store.tag(source, as: try ModelReference(parsing: target))
            return Response(status: .ok)
        }
        router.delete("/api/delete") { request, _ in
            let removals = try store.remove(named: try Self.model(in: try await Self.body(request)))
            let deleted = removals.compactMap { if case .deleted(let id) = $0 { id.description } else { nil } }
            if !deleted.isEmpty {
                scheduler.unload(models: Set(deleted))
                try configurations.forget(modelIDs: Set(deleted))
            }
            return Response(status: .ok)
        }
    }

    static func body(_ request: Request) async throws -> JSON {
        let bytes = try await request.body.collect(upTo: maximumRequest)
        guard bytes.readableBytes > 0 else { throw Failure(.invalidArgument, "missing request body") }
        guard let json = try? JSON(parsing: bytes), json.object != nil else {
            throw Failure(.invalidArgument, "invalid request: not a JSON object")
        }
        return json
    }

    /// Older clients say `name`.
    static func model(in body: JSON) throws -> String {
        for member in ["model", "name"] {
            if let name = body[member]?.string, !name.isEmpty { return name }
        }
        throw Failure(.invalidArgument, "model is required")
    }

    /// `pebble:latest`: short, but with its tag.
    static func name(_ tag: String) -> String {
        let short = ModelReference.display(tag)
        return short.split(separator: "/").last?.contains(":") == true ? short : "\(short):latest"
    }

    private func tags() throws -> [JSON] {
        try store.models().flatMap { model in
            model.tags.map { tag in
                [
                    "name": .string(Self.name(tag)), "model": .string(Self.name(tag)),
                    "modified_at": .string(Timestamp(seconds: model.created).rfc3339), "size": .int(model.size),
                    "digest": .string(model.id.hex), "details": Self.details(model),
                ]
            }
        }
    }

    static func details(_ model: Model) -> JSON {
        let family = JSON.string(model.config.architecture)
        return [
            "parent_model": "", "format": .string(model.config.format), "family": family,
            "families": model.config.architecture.isEmpty ? [] : [family],
            "parameter_size": .string(model.config.parameters),
            "quantization_level": .string(model.config.quantization),
        ]
    }

    private func running() -> [JSON] {
        scheduler.running().map { runner in
            let model = try? store.model(named: runner.modelID)
            let name = Self.name(runner.modelName)
            var shown = JSON.Object([
                ("name", .string(name)), ("model", .string(name)),
                // What it takes of memory; where nobody knows, its files are the least.
                ("size", .int(max(runner.bytes, model?.size ?? 0))),
                ("digest", .string(String(runner.modelID.drop { $0 != ":" }.dropFirst()))),
                ("details", model.map(Self.details) ?? [:]), ("expires_at", .string(Self.expiry(runner))),
                ("size_vram", .int(runner.memory.device)),
            ])
            if let context = runner.contextSize ?? model?.config.contextLength {
                shown["context_length"] = .int(context)
            }
            return .object(shown)
        }
    }

    private static func expiry(_ runner: RunnerStatus) -> String {
        switch runner.keepAlive {
        // What Ollama's clients show as for ever.
        case .forever: "2318-12-31T23:59:59Z"
        case .after(let duration): Timestamp(seconds: runner.lastUsed + duration.components.seconds).rfc3339
        }
    }

    private func show(_ model: Model) throws -> JSON {
        let texts = store.texts(of: model)
        var information = JSON.Object()
        for (name, text) in model.config.gguf.sorted(by: { $0.key < $1.key }) where name != "tokenizer.chat_template" {
            information[name] = Self.value(text)
        }
        let custom = model.customization
        let template = texts.goTemplate ?? texts.chatTemplate ?? ""
        var shown = JSON.Object([
            ("license", .string(texts.licences.joined(separator: "\n"))),
            ("modelfile", .string(Self.modelfile(model, texts))),
            ("parameters", .string(Self.parameters(custom.parameters).joined(separator: "\n"))),
            ("template", .string(template)), ("details", Self.details(model)), ("model_info", .object(information)),
            ("capabilities", .array(Self.capabilities(model, texts).map { .string($0) })),
            ("modified_at", .string(Timestamp(seconds: model.created).rfc3339)),
        ])
        if let system = custom.system { shown["system"] = .string(system) }
        if !custom.messages.isEmpty { shown["messages"] = .array(custom.messages.map(\.json)) }
        return .object(shown)
    }

    /// Metadata is kept as texts; numbers and flags become what they were.
    private static func value(_ text: String) -> JSON {
        if text == "true" || text == "false" { return .bool(text == "true") }
        guard let json = try? JSON(parsing: text), case .number = json else { return .string(text) }
        return json
    }

    /// What can be told from the files: nobody has asked the engine yet.
    static func capabilities(_ model: Model, _ texts: ModelTexts) -> [String] {
        let metadata = model.config.gguf
        let architecture = metadata["general.architecture"] ?? model.config.architecture
        if metadata["\(architecture).pooling_type"] != nil || architecture.contains("bert") { return ["embedding"] }
        var capabilities = ["completion"]
        let template = texts.chatTemplate ?? ""
        if template.contains("tools") || template.contains("tool_call") { capabilities.append("tools") }
        if metadata["tokenizer.ggml.fim_pre_token_id"] != nil || metadata["tokenizer.ggml.prefix_token_id"] != nil {
            capabilities.append("insert")
        }
        if texts.hasProjector { capabilities.append("vision") }
        if ["enable_thinking", "<think>", "reasoning_content"].contains(where: template.contains) {
            capabilities.append("thinking")
        }
        return capabilities
    }

    private static func parameters(_ parameters: ModelParameters) -> [String] {
        (parameters.json.object?.members ?? []).flatMap { name, value -> [String] in
            (value.array ?? [value]).map { "\(name) \($0.string.map { JSON.quoted($0) } ?? $0.text)" }
        }
    }

    private static func modelfile(_ model: Model, _ texts: ModelTexts) -> String {
        var lines = ["FROM \(name(model.tags.first ?? model.id.description))"]
        if let template = texts.goTemplate { lines.append("TEMPLATE \"\"\"\(template)\"\"\"") }
        if let system = model.customization.system { lines.append("SYSTEM \"\"\"\(system)\"\"\"") }
        lines += parameters(model.customization.parameters).map { "PARAMETER \($0)" }
        lines += model.customization.messages.map { "MESSAGE \($0.role) \"\"\"\($0.content)\"\"\"" }
        lines += texts.licences.map { "LICENSE \"\"\"\($0)\"\"\"" }
        return lines.joined(separator: "\n") + "\n"
    }
}
