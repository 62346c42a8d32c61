internal import Core
internal import HTTPTypes
internal import Hummingbird
internal import Inference
internal import Logging
internal import ModelStore
internal import NIOCore
internal import OCI

/// The routes about engines and what they have loaded.
struct EngineRoutes: Sendable {
    let store: ModelStore
    let scheduler: Scheduler
    let installer: EngineInstaller
    let activity: Activity

    private static let maximumRequest = 64 << 10

    func add(to router: Router<Context>) {
        router.get("/engines/status") { _, _ in
            var statuses = JSON.Object()
            for (name, backend) in scheduler.backends.sorted(by: { $0.key < $1.key }) {
                statuses[name] = .string(await backend.status().description)
            }
            return Response.json(.object(statuses))
        }
        router.get("/engines/ps") { _, _ in
            Response.json(.array(scheduler.running().map(Self.json)))
        }
        router.get("/engines/df") { _, _ in
            Response.json([
                "models_disk_usage": .int(store.diskUsage), "default_backend_disk_usage": .int(installer.diskUsage),
            ])
        }
        router.post("/engines/unload") { request, _ in try await unload(request) }
        router.post("/engines/install-backend") { request, context in try await install(request, context) }
    }

    static func json(_ status: RunnerStatus) -> JSON {
        var object = JSON.Object([
            ("backend_name", .string(status.backend)), ("model_name", .string(status.modelName)),
            ("mode", .string(status.mode.rawValue)),
            ("last_used", .string(Timestamp(seconds: status.lastUsed).rfc3339)), ("in_use", .bool(status.inUse)),
            ("loading", .bool(status.loading)), ("keep_alive", .string(status.keepAlive.text)),
        ])
        if let context = status.contextSize { object["context_size"] = .int(context) }
        if let slots = status.configuration.slots { object["slots"] = .int(slots) }
        if !status.configuration.runtimeFlags.isEmpty {
            object["runtime_flags"] = .array(status.configuration.runtimeFlags.map { .string($0) })
        }
        if let draft = status.draftModelID { object["draft_model_id"] = .string(draft) }
        if status.bytes > 0 { object["estimated_memory"] = .int(status.bytes) }
        return .object(object)
    }

    private func body(_ request: Request) async throws -> JSON {
        do {
            let json = try JSON(parsing: try await request.body.collect(upTo: Self.maximumRequest))
            guard json.object != nil else { throw Failure(.invalidArgument, "not an object") }
            return json
        } catch let failure as Failure {
            throw Failure(.invalidArgument, "invalid request body", cause: failure)
        }
    }

    private func unload(_ request: Request) async throws -> Response {
        let body = try await body(request)
        let backend = body["backend"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        let count: Int
        let all = body["all"].flatMap { $0.isNull ? nil : $0 } ?? false
        let models = body["models"].flatMap { $0.isNull ? nil : $0 } ?? []
        guard let isAll = all.bool, let list = models.array, list.allSatisfy({ $0.string != nil }) else {
            throw Failure(.invalidArgument, "invalid request body: all is true or false, models a list of names")
        }
        if isAll {
            count = scheduler.unloadAll(backend: backend)
        } else {
            let names = list.compactMap(\.string)
            let stored = names.compactMap { try? store.model(named: $0).id.description }
            count = scheduler.unload(models: Set(stored + shown(as: names)), backend: backend)
        }
        return .json(["unloaded_runners": .int(count)])
    }

    /// The models that run under these names or ids, whatever the store says of them by now: a name can have gone to
    /// another model since.
    private func shown(as names: [String]) -> [String] {
        let references = names.compactMap { try? ModelReference(parsing: $0) }
        return scheduler.running().filter { runner in
            references.contains { reference in
                reference.canonical == runner.modelName
                    || reference.id.map { runner.modelID.contains(":\($0)") } ?? false
            }
        }.map(\.modelID)
    }

    private func install(_ request: Request, _ context: Context) async throws -> Response {
        guard let name = try await body(request)["backend"]?.string, !name.isEmpty else {
            throw Failure(.invalidArgument, "backend is required")
        }
        guard name == LlamaServer.backendName else { throw Failure(.notFound, "backend not found") }
        let use = activity.begin()
        try await context.whileConnected {
            try await installer.install { context.logger.info("\($0)") }
        }
        withExtendedLifetime(use) {}
        return Response(status: .ok)
    }
}
