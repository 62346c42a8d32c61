internal import Commands
internal import Core
internal import NIOHTTP1
internal import Terminal

/// What must be there before a model can be asked: the engine, and the model itself.
struct Preparation: Sendable {
    let client: RunnerClient
    let context: CommandContext

    func prepare(_ model: String) async throws {
        try await installEngineIfMissing()
        do {
            _ = try await client.json(.GET, "/models/\(model.pathEncoded)")
        } catch let failure as Failure where failure.code == .notFound {
            context.console.err.print("Unable to find model '\(model)' locally. Pulling from the server.")
            try await ModelTransfer.pull(model, with: client, quiet: true)
        }
    }

    private func installEngineIfMissing() async throws {
        guard context.paths.setting("MODEL_RUNNER_NO_AUTO_INSTALL") == nil, client.endpoint.kind == .local else {
            return
        }
        let status = try await client.json(.GET, "/engines/status")["llama.cpp"]?.string ?? ""
        guard status.hasPrefix("Not Installed") else { return }
        context.console.err.print("Installing llama.cpp backend (once, about 35 MB)...")
        _ = try await client.json(.POST, "/engines/install-backend", body: ["backend": "llama.cpp"])
        context.console.err.print("llama.cpp backend installed successfully")
    }
}
