internal import Hummingbird

/// Every API for clients of models: what the runner's own port has beside the management, and all that a port for
/// Ollama's clients needs.
struct ClientRoutes: Sendable {
    let calls: EngineCalls
    let transfers: Transfers
    let activity: Activity

    func add(to router: Router<Context>) {
        OpenAIRoutes(calls: calls).add(to: router)
        ResponsesRoutes(calls: calls).add(to: router)
        AnthropicRoutes(calls: calls).add(to: router)
        OllamaRoutes(calls: calls, transfers: transfers, activity: activity).add(to: router)
    }
}
