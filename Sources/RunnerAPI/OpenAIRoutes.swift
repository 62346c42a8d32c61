internal import Core
internal import HTTPTypes
internal import Hummingbird
internal import Inference
internal import ModelStore
internal import NIOCore
internal import OCI

/// The routes that OpenAI's clients use, under each of their prefixes.
struct OpenAIRoutes: Sendable {
    let store: ModelStore
    let planner: LoadPlanner
    let relay: Relay

    /// Bytes a request may have: pictures come inline.
    static let maximumRequest = 128 << 20

    /// A request that only wants its model loaded says so with this.
    private static let preloadOnly = HTTPField.Name("X-Preload-Only")

    private static let operations: [(path: String, mode: Load.Mode)] = [
        ("chat/completions", .completion), ("completions", .completion), ("embeddings", .embedding),
    ]

    func add(to router: Router<Context>) {
        for prefix in ["/v1", "/engines/v1", "/engines/:backend/v1"] {
            router.get("\(prefix)/models") { _, context in
                try checkBackend(context)
                return Response.json(["object": "list", "data": .array(try store.models().map(Self.entry))])
            }
            router.get("\(prefix)/models/**") { request, context in
                try checkBackend(context)
                return Response.json(
                    Self.entry(try store.model(named: ModelRoutes.name(context.parameters.getCatchAll()))))
            }
            for (path, mode) in Self.operations {
                router.post("\(prefix)/\(path)") { request, context in
                    try await infer(request, path: "/v1/\(path)", mode: mode, context: context)
                }
            }
        }
    }

    @discardableResult
    private func checkBackend(_ context: Context) throws -> String {
        try planner.name(of: context.parameters.get("backend"))
    }

    private func infer(_ request: Request, path: String, mode: Load.Mode, context: Context) async throws -> Response {
        let backend = try checkBackend(context)
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > Self.maximumRequest {
            throw NIOTooManyBytesError(maxBytes: Self.maximumRequest)
        }
        let body = try await request.body.collect(upTo: Self.maximumRequest)
        let model = try store.model(named: try Self.modelName(in: body))
        let load = try planner.load(model, mode: mode, backend: backend)
        if Self.preloadOnly.flatMap({ request.headers[$0] })?.lowercased() == "true" {
            try await relay.preload(load, context: context)
            return Response(status: .ok)
        }
        let query = request.uri.query.map { "?" + $0 } ?? ""
        let completed = try RequestDefaults(model.customization).apply(to: body, path: path)
        return try await relay.respond(to: request, body: completed, path: path + query, load: load, context: context)
    }

    /// The one member that is read here; everything else is the engine's to judge.
    static func modelName(in body: ByteBuffer) throws -> String {
        let json: RawJSON
        do { json = try RawJSON(checking: body) } catch {
            throw Failure(.invalidArgument, "invalid request", cause: error)
        }
        guard json.isObject else { throw Failure(.invalidArgument, "invalid request: not a JSON object") }
        guard let name = try json["model"]?.parsed().string, !name.isEmpty else {
            throw Failure(.invalidArgument, "model is required")
        }
        return name
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
