internal import ArgumentParser
internal import Commands
internal import Core
internal import Inference
internal import Terminal

/// The inference engine on this machine, installed without the daemon's help.
struct InstallRunner: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "install-runner", abstract: "Install the inference engine",
        usage: "docker model install-runner [--backend llama.cpp]")

    @Option(help: "The engine.") var backend = "llama.cpp"

    func run() async throws {
        guard backend == "llama.cpp" else {
            throw Failure(
                .unsupported, "there is no backend \"\(backend)\" to install",
                advice: "The only one so far is llama.cpp.")
        }
        let context = CommandContext.current
        try await EngineInstaller(paths: context.paths, trampoline: context.program).install {
            context.console.err.print($0)
        }
        context.console.out.print("llama.cpp engine installed")
    }
}

struct UninstallRunner: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "uninstall-runner", abstract: "Remove the inference engine that install-runner installed",
        usage: "docker model uninstall-runner [--backend llama.cpp]")

    @Option(help: "The engine.") var backend = "llama.cpp"

    func run() async throws {
        guard backend == "llama.cpp" else {
            throw Failure(.unsupported, "there is no backend \"\(backend)\" to remove")
        }
        let context = CommandContext.current
        let wasThere = try EngineInstaller(paths: context.paths).uninstall()
        context.console.out.print(wasThere ? "llama.cpp engine removed" : "There is no llama.cpp engine to remove")
    }
}

struct EngineGroup: AsyncParsableCommand {
    struct Install: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Install the inference engine", usage: "docker model engine install [--backend llama.cpp]")
        @OptionGroup var command: InstallRunner
        func run() async throws { try await command.run() }
    }

    struct Uninstall: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove the inference engine", usage: "docker model engine uninstall [--backend llama.cpp]")
        @OptionGroup var command: UninstallRunner
        func run() async throws { try await command.run() }
    }

    static let configuration = CommandConfiguration(
        commandName: "engine", abstract: "Manage the inference engine", subcommands: [Install.self, Uninstall.self])
}
