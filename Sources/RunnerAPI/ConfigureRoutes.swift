internal import Core
internal import HTTPTypes
internal import Hummingbird
internal import Inference
internal import ModelStore
internal import NIOCore
internal import OCI

/// The routes by which somebody decides how a model runs.
struct ConfigureRoutes: Sendable {
    let planner: LoadPlanner
    let scheduler: Scheduler

    private static let maximumRequest = 1 << 20

    func add(to router: Router<Context>) {
        for path in ["/engines/_configure", "/engines/:backend/_configure"] {
            router.post("\(path)") { request, context in
                try await configure(request, backend: context.parameters.get("backend"))
            }
            router.get("\(path)") { request, context in
                let backend = try planner.name(of: context.parameters.get("backend"))
                return Response.json(
                    .array(try list(backend, model: request.uri.queryParameters["model"].map(String.init))))
            }
        }
    }

    private func configure(_ request: Request, backend: String?) async throws -> Response {
        let body: JSON
        do {
            body = try JSON(parsing: try await request.body.collect(upTo: Self.maximumRequest))
            guard body.object != nil else { throw Failure(.invalidArgument, "not an object") }
        } catch let failure as Failure { throw Failure(.invalidArgument, "invalid request body", cause: failure) }
        guard let name = body["model"]?.string, !name.isEmpty else {
            throw Failure(.invalidArgument, "model is required")
        }
        try configure(planner.store.model(named: name), body, backend: backend)
        return Response(status: .accepted)
    }

    /// - Throws: `.conflict` when the model is answering as it was configured before.
    private func configure(_ model: Model, _ body: JSON, backend: String?) throws {
        let id = model.id.description
        var isChanged = false
        try planner.configurations.update(modelID: id, names: model.tags) { old in
            let new = try old.merging(body)
            try planner.check(new, for: model, backend: backend)
            isChanged = try planner.key(model, old) != planner.key(model, new)
            let isBusy = scheduler.running().contains { $0.modelID == id && ($0.inUse || $0.loading) }
            guard !isChanged || !isBusy else {
                throw Failure(
                    .conflict, "runner already active: \(model.tags.first ?? id) is loading or answering",
                    advice: "Configure it again when it is idle.")
            }
            return new
        }
        // The next request must not find it as it was.
        if isChanged { scheduler.unload(models: [id]) }
    }

    private func list(_ backend: String, model name: String?) throws -> [JSON] {
        let wanted = try name.map { try planner.store.model(named: $0) }
        return try planner.configurations.entries().compactMap { entry in
            if let wanted, entry.modelID != wanted.id.description, Set(entry.names).isDisjoint(with: wanted.tags) {
                return nil
            }
            return [
                "Backend": .string(backend), "Model": .string(entry.names.first ?? entry.modelID),
                "ModelID": .string(entry.modelID),
                "Mode": .string((entry.configuration.mode ?? .completion).rawValue),
                "Config": entry.configuration.json,
            ]
        }
    }
}
