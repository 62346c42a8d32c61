internal import Core
internal import Dialects
internal import HTTPTypes
internal import Hummingbird
internal import Inference
internal import ModelStore
internal import NIOCore
internal import OCI

/// The routes that Ollama's clients use.
struct OllamaRoutes: Sendable {
    let calls: EngineCalls
    let transfers: Transfers
    let activity: Activity

    /// Clients look whether it is new enough for what they want to do.
    static let version = "0.12.0"

    func add(to router: Router<Context>) {
        router.get("/api/version") { _, _ in Response.json(["version": .string(Self.version)]) }
        router.post("/api/chat") { try await complete(.chat, $0, $1) }
        router.post("/api/generate") { try await complete(.generate, $0, $1) }
        router.post("/api/embed") { try await embed($0, $1, old: false) }
        router.post("/api/embeddings") { try await embed($0, $1, old: true) }
        OllamaModelRoutes(
            store: calls.store, scheduler: calls.relay.scheduler, configurations: calls.planner.configurations
        ).add(to: router)
        OllamaTransferRoutes(transfers: transfers, activity: activity).add(to: router)
    }

    private static func clock() -> OllamaClock {
        let begin = ContinuousClock.now
        return OllamaClock(now: { Timestamp.now.rfc3339 }, elapsed: { ContinuousClock.now - begin })
    }

    private func complete(_ kind: OllamaRequest.Kind, _ request: Request, _ context: Context) async throws -> Response {
        let clock = Self.clock()
        return try await calls.answering(request, context) { body, context in
            let given = try OllamaRequest(kind, body)
            guard given.isEmpty else {
                return try await calls.send(given.exchange(clock: clock), of: request, context)
            }
            return try await load(given, clock, context)
        }
    }

    /// A request that says nothing wants its model loaded, or unloaded.
    private func load(_ given: OllamaRequest, _ clock: OllamaClock, _ context: Context) async throws -> Response {
        let unloads = given.wishes.keepAlive.flatMap { KeepAlive($0) } == .after(.zero)
        if unloads {
            let model = try calls.store.model(named: given.model)
            calls.relay.scheduler.unload(models: [model.id.description])
        } else {
            try await calls.preload(given.model, .chat, given.wishes, context)
        }
        return Response.json(given.emptyAnswer(unloaded: unloads, clock: clock))
    }

    private func embed(_ request: Request, _ context: Context, old: Bool) async throws -> Response {
        try await calls.answering(request, context) { body, context in
            let given = try OllamaEmbedding(body, old: old)
            guard given.isEmpty else {
                return try await calls.send(given.exchange(clock: Self.clock()), of: request, context)
            }
            try await calls.preload(given.model, .embedding, given.wishes, context)
            return Response(given.emptyAnswer())
        }
    }
}
