package import Core
package import SystemPackage

/// llama.cpp's own HTTP server.
package struct LlamaServer: Backend {
    package static let backendName = "llama.cpp"

    private let paths: Paths
    let builds: EngineBuilds
    /// Whether the base options keep every model off the GPUs.
    private let isCPU: Bool

    package init(paths: Paths) {
        self.paths = paths
        isCPU = Self.isCPU(paths.setting("LLAMA_ARGS").flatMap { try? ShellWords.split($0) } ?? [])
        builds = EngineBuilds(paths: paths, environment: Self.environment(from: paths.environment))
    }

    package var name: String { Self.backendName }

    /// What the engine gets to see of our environment.
    var processEnvironment: [String: String] { Self.environment(from: paths.environment) }

    /// Where `install-runner` puts the engine.
    package static func home(_ paths: Paths) -> FilePath { paths.modelRunner.appending("llama.cpp") }

    package func executable() throws -> FilePath {
        if let program = try builds.chosen()?.build.program { return program }
        throw Failure(
            .failedPrecondition, "backend \"\(name)\" is not installed",
            advice: "Run: docker model install-runner --backend \(name)")
    }

    /// Where `docker model status` tells to put builds for GPUs.
    var buildsFolder: FilePath { EngineBuilds.folder(paths) }

    package func prepare() async { await builds.probe() }

    package var mustPrepare: Bool { ((try? builds.candidates()) ?? []).count > 1 }

    package var devices: BackendDevices {
        guard let devices = builds.latestDevices?.devices, !devices.isEmpty, !isCPU else { return .none }
        return BackendDevices(
            free: devices.reduce(0) { $0 + $1.free }, isUnified: devices.allSatisfy(\.isUnified))
    }

    package func usesDevices(_ configuration: EngineConfiguration) -> Bool { !Self.isCPU(configuration.runtimeFlags) }

    /// Whether options keep a model off the GPUs.
    private static func isCPU(_ flags: [String]) -> Bool {
        zip(flags, flags.dropFirst() + [""]).contains { flag, next in
            let parts = flag.split(separator: "=", maxSplits: 1).map(String.init)
            let value = parts.count > 1 ? parts[1] : next
            switch parts.first {
            case "-ngl", "--gpu-layers", "--n-gpu-layers": return value == "0"
            case "-dev", "--device": return value == "none"
            default: return false
            }
        }
    }

    /// MiB of memory for prompts that may come again. As a variable, which an engine that does not know it ignores;
    /// left alone, llama.cpp takes up to 8 GiB.
    private static let promptCache = "LLAMA_ARG_CACHE_RAM"

    package var listening: BackendListening { .unixSocket }
    package var runtimeFlags: RuntimeFlags { .llama }
    package var formats: Set<String> { ["gguf"] }
    package var modes: Set<Load.Mode> { Set(Load.Mode.allCases) }

    package func command(for load: Load, context: Int?, at address: EngineAddress) throws -> ChildProcess.Spec {
        guard case .unix(let socket) = address else { throw Failure(.invalidArgument, "\(name) listens on a socket") }
        var environment = processEnvironment
        if environment[Self.promptCache] == nil, let estimate = load.memory {
            environment[Self.promptCache] = String(estimate.promptCache(context: context) >> 20)
        }
        return ChildProcess.Spec(
            name: name, program: try executable(),
            arguments: try Self.arguments(
                for: load, context: context, socket: socket, base: paths.setting("LLAMA_ARGS")),
            environment: environment, address: address)
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
}
