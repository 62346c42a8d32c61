internal import Core
internal import Dialects
internal import HTTPTypes
internal import Hummingbird
internal import Inference
internal import ModelStore
internal import NIOCore
internal import OCI

/// The routes that Anthropic's clients use.
struct AnthropicRoutes: Sendable {
    let calls: EngineCalls

    /// Sent by all clients of Anthropic's, and by no others.
    private static let version = HTTPField.Name("anthropic-version")

    static func isMeant(by request: Request) -> Bool { version.map { request.headers.contains($0) } ?? false }

    func add(to router: Router<Context>) {
        for prefix in OpenAIRoutes.prefixes + ["/anthropic/v1"] {
            router.post("\(prefix)/messages") { try await messages($0, $1) }
            router.post("\(prefix)/messages/count_tokens") { try await count($0, $1) }
        }
        router.get("/anthropic/v1/models") { _, _ in Self.list(try calls.store.models()) }
        router.get("/anthropic/v1/models/**") { _, context in
            Response.json(
                Self.entry(try calls.store.model(named: ModelRoutes.name(context.parameters.getCatchAll()))))
        }
    }

    private func messages(_ request: Request, _ context: Context) async throws -> Response {
        try await calls.answering(request, context) { body, context in
            let given = try AnthropicRequest(body)
            return try await calls.send(given.exchange(id: Identifier.make("msg_")), of: request, context)
        }
    }

    /// Asks the engine how it would lay the prompt out, and what that is in tokens.
    private func count(_ request: Request, _ context: Context) async throws -> Response {
        try await calls.answering(request, context) { try await count($0, $1) }
    }

    private func count(_ body: ByteBuffer, _ context: Context) async throws -> Response {
        let given = try AnthropicRequest(body, counting: true)
        let model = try calls.store.model(named: given.model)
        let load = try calls.load(model, .completion, .init(), backend: calls.backend(context))
        let chat = Exchange.Operation.chat.rawValue
        let body = try RequestDefaults(model.customization).apply(to: given.templateRequest, path: chat)
        let template = try await calls.relay.answer(
            to: body, path: TokenCount.templatePath, load: load, context: context)
        guard template.status == 200 else { return Response(template.refused(for: .anthropic)) }
        let tokens = try await calls.relay.answer(
            to: try TokenCount.tokenRequest(template.body), path: TokenCount.tokenPath, load: load, context: context)
        guard tokens.status == 200 else { return Response(tokens.refused(for: .anthropic)) }
        return .json(["input_tokens": .int(try TokenCount.count(tokens.body))])
    }

    static func list(_ models: [Model]) -> Response {
        let entries = models.map(entry)
        return .json([
            "data": .array(entries), "has_more": false, "first_id": entries.first?["id"] ?? .null,
            "last_id": entries.last?["id"] ?? .null,
        ])
    }

    static func entry(_ model: Model) -> JSON {
        let name = model.tags.first ?? model.id.description
        return [
            "type": "model", "id": .string(name), "display_name": .string(ModelReference.display(name)),
            "created_at": .string(Timestamp(seconds: model.created).rfc3339),
        ]
    }
}
