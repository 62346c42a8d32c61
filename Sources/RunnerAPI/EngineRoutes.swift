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
        [
            "backend_name": .string(status.backend), "model_name": .string(status.modelName),
            "mode": .string(status.mode.rawValue), "last_used": .string(Timestamp(seconds: status.lastUsed).rfc3339),
            "in_use": .bool(status.inUse), "loading": .bool(status.loading),
            "keep_alive": .string(status.keepAlive.text),
        ]
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
        if body["all"]?.bool == true {
            count = scheduler.unloadAll(backend: backend)
        } else {
            let names = (body["models"]?.array ?? []).compactMap(\.string)
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
