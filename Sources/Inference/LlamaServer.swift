package import Core
package import SystemPackage

/// llama.cpp's own HTTP server.
package struct LlamaServer: Backend {
    package static let backendName = "llama.cpp"

    private let paths: Paths

    package init(paths: Paths) { self.paths = paths }

    package var name: String { Self.backendName }

    /// What the engine gets to see of our environment.
    var processEnvironment: [String: String] { Self.environment(from: paths.environment) }

    /// Where `install-runner` puts the engine.
    package static func home(_ paths: Paths) -> FilePath { paths.modelRunner.appending("llama.cpp") }

    package func executable() throws -> FilePath {
        if let program = try locate() { return program }
        throw Failure(
            .failedPrecondition, "backend \"\(name)\" is not installed",
            advice: "Run: docker model install-runner --backend \(name)")
    }

    /// `LLAMA_SERVER_PATH` (a folder or the program itself), the installed engine, `llama-server` in `PATH`.
    ///
    /// - Throws: `.failedPrecondition` when the variable names nothing that can be run.
    func locate() throws -> FilePath? {
        if let setting = paths.setting("LLAMA_SERVER_PATH") {
            let path = FilePath(setting)
            for candidate in [path, path.appending("llama-server")] where Self.isProgram(candidate) { return candidate }
            throw Failure(
                .failedPrecondition, "LLAMA_SERVER_PATH is \(setting), which neither is nor holds a llama-server",
                advice: "Correct it, or unset it to use the engine that install-runner brings.")
        }
        let installed = Self.home(paths).appending("bin").appending("llama-server")
        let search = (paths.environment["PATH"] ?? "").split(separator: ":").filter { $0.hasPrefix("/") }
        let candidates = [installed] + search.map { FilePath(String($0)).appending("llama-server") }
        return candidates.first(where: Self.isProgram)
    }

    package var listening: BackendListening { .unixSocket }
    package var runtimeFlags: RuntimeFlags { .llama }

    package func command(for load: Load, context: Int?, at address: EngineAddress) throws -> ChildProcess.Spec {
        guard case .unix(let socket) = address else { throw Failure(.invalidArgument, "\(name) listens on a socket") }
        return ChildProcess.Spec(
            name: name, program: try executable(),
            arguments: try Self.arguments(
                for: load, context: context, socket: socket, base: paths.setting("LLAMA_ARGS")),
            environment: processEnvironment, address: address)
    }

    /// Everything is passed on (devices are chosen by variables), but not what is meant for this process alone.
    static func environment(from environment: [String: String]) -> [String: String] {
        var result = environment.filter { name, _ in
            !name.hasPrefix("SWIFT_BACKTRACE") && !name.hasPrefix("DOCKER_CLI_PLUGIN_")
                && !name.hasPrefix("LLAMA_ARG_MODEL")
                && name != "LLAMA_ARG_HOST" && name != "LLAMA_ARG_PORT"
        }
        if environment["WHARF_PASSIVE_OPENMP"] == "1" {
            // Spinning at barriers is what makes llama.cpp collapse on shared cores.
            result["GOMP_SPINCOUNT"] = "0"
            result["OMP_WAIT_POLICY"] = "passive"
        }
        return result
    }

    private static func isProgram(_ path: FilePath) -> Bool {
        guard let status = try? POSIX.status(path) else { return false }
        return status.isRegular && status.mode & 0o111 != 0
    }
}
