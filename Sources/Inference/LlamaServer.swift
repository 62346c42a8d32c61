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

    package func command(for load: Load, socket: FilePath) throws -> ChildProcess.Spec {
        ChildProcess.Spec(
            name: name, program: try executable(),
            arguments: try Self.arguments(for: load, socket: socket, base: paths.setting("LLAMA_ARGS")),
            environment: processEnvironment, socket: socket)
    }

    /// - Parameter base: what replaces the usual first arguments, as one line with quotes.
    static func arguments(for load: Load, socket: FilePath, base: String?) throws -> [String] {
        var arguments = try base.map(customBase) ?? ["-ngl", "999", "--metrics"]
        // The alias is what answers call the model; without it they would show a path on this machine.
        arguments += ["--model", load.weights.string, "--alias", load.modelName, "--host", socket.string]
        switch load.key.mode {
        case .completion:
            if let template = load.chatTemplate { arguments += ["--chat-template-file", template.string] }
            arguments += sampling(load.parameters)
        case .embedding: arguments += ["--embeddings"]
        case .reranking: arguments += ["--embeddings", "--reranking"]
        }
        if let size = load.contextSize, size > 0 || size == -1 {
            // llama-server's word for the model's own maximum is 0.
            arguments += ["--ctx-size", String(max(size, 0))]
        }
        if let projector = load.multimodalProjector { arguments += ["--mmproj", projector.string] }
        for adapter in load.adapters { arguments += ["--lora", adapter.string] }
        return arguments + ["--jinja"]
    }

    /// What a model may decide about its answers, in this order. All are numbers, and nothing else is ever passed on.
    private static let samplingOptions = [
        ("temperature", "--temp"), ("top_k", "--top-k"), ("top_p", "--top-p"), ("min_p", "--min-p"),
        ("typical_p", "--typical"), ("repeat_last_n", "--repeat-last-n"), ("repeat_penalty", "--repeat-penalty"),
        ("presence_penalty", "--presence-penalty"), ("frequency_penalty", "--frequency-penalty"), ("seed", "--seed"),
        ("num_predict", "--predict"),
    ]

    private static func sampling(_ parameters: [String: String]) -> [String] {
        samplingOptions.flatMap { name, option -> [String] in
            guard let text = parameters[name], let number = Double(text), number.isFinite else { return [] }
            // A seed of -1 stands for another one each time, which is the engine's own way.
            return name == "seed" && number < 0 ? [] : [option, text]
        }
    }

    /// Options that decide what is loaded and where it listens belong to the runner.
    private static let reserved: Set<String> = [
        "-m", "--model", "--host", "--port", "--embedding", "--embeddings", "--mmproj", "-mm",
    ]

    private static func customBase(_ line: String) throws -> [String] {
        let words = try ShellWords.split(line)
        for word in words {
            let option = word.split(separator: "=", maxSplits: 1).first.map(String.init) ?? word
            if reserved.contains(option) {
                throw Failure(
                    .invalidArgument, "LLAMA_ARGS may not contain \(option)",
                    advice: "The runner sets it itself for every model.")
            }
        }
        return words
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
