internal import Core
internal import Dialects
internal import HTTPTypes
internal import Hummingbird
internal import ModelStore
internal import NIOCore
internal import OCI

/// The routes that OpenAI's clients use, under each of their prefixes.
struct OpenAIRoutes: Sendable {
    let calls: EngineCalls

    static let prefixes = ["/v1", "/engines/v1", "/engines/:backend/v1"]

    private static let operations: [(path: String, operation: Exchange.Operation)] = [
        ("chat/completions", .chat), ("completions", .completion), ("embeddings", .embedding), ("rerank", .reranking),
    ]

    func add(to router: Router<Context>) {
        for prefix in Self.prefixes {
            router.get("\(prefix)/models") { request, context in
                _ = try calls.backend(context)
                let models = try calls.store.models()
                return AnthropicRoutes.isMeant(by: request)
                    ? AnthropicRoutes.list(models)
                    : Response.json(["object": "list", "data": .array(models.map(Self.entry))])
            }
            router.get("\(prefix)/models/**") { request, context in
                _ = try calls.backend(context)
                let model = try calls.store.model(named: ModelRoutes.name(context.parameters.getCatchAll()))
                return Response.json(
                    AnthropicRoutes.isMeant(by: request) ? AnthropicRoutes.entry(model) : Self.entry(model))
            }
            for (path, operation) in Self.operations {
                router.post("\(prefix)/\(path)") { try await infer(operation, $0, $1) }
            }
            router.post("\(prefix)/score") { try await score($0, $1) }
        }
        for prefix in ["", "/engines", "/engines/:backend"] {
            router.post("\(prefix)/rerank") { try await infer(.reranking, $0, $1) }
            router.post("\(prefix)/score") { try await score($0, $1) }
        }
    }

    private func infer(_ operation: Exchange.Operation, _ request: Request, _ context: Context) async throws -> Response
    {
        _ = try calls.backend(context)
        return try await calls.answering(request, context) { body, context in
            let given = try OpenAIRequest(body)
            if EngineCalls.isPreload(request) {
                try await calls.preload(given.model, operation, try given.wishes, context)
                return Response(status: .ok)
            }
            // What is missing altogether is more worth saying than what is wrong with the rest.
            let model = try calls.store.model(named: given.model)
            let query = request.uri.query.map { "?" + $0 } ?? ""
            return try await calls.send(try given.exchange(operation), to: model, of: request, query: query, context)
        }
    }

    private func score(_ request: Request, _ context: Context) async throws -> Response {
        try await calls.answering(request, context) { body, context in
            let given = try ScoreRequest(body)
            let exchange = given.exchange(id: Identifier.make("score-"), created: Timestamp.now.seconds)
            return try await calls.send(exchange, of: request, context)
        }
    }

    static func entry(_ model: Model) -> JSON {
        var details = JSON.Object()
        if let context = model.config.contextLength { details["context_window"] = .int(context) }
        for (name, text) in [
            ("architecture", model.config.architecture), ("parameters", model.config.parameters),
            ("quantization", model.config.quantization), ("size", model.config.size),
        ] where !text.isEmpty {
            details[name] = .string(text)
        }
        return [
            "id": .string(model.tags.first ?? model.id.description), "object": "model", "created": .int(model.created),
            "owned_by": "docker", "dmr": .object(details),
        ]
    }
}
