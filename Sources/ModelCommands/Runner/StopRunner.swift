internal import ArgumentParser
internal import Commands
internal import Core
internal import Terminal

/// Ends the daemon, which otherwise goes by itself when it has been idle.
struct StopRunner: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop-runner", abstract: "Stop the model runner of this user",
        usage: "docker model stop-runner",
        discussion: """
            After the answers under way, which have 10 seconds. Models and the engine stay; the next command that needs \
            a runner starts it again.
            """)

    func run() async throws {
        let context = CommandContext.current
        let process = try await RunningDaemon(context.paths).stop()
        context.console.out.print(Self.text(process))
    }

    static func text(_ process: Int32?) -> String {
        process.map { "Stopped the model runner (process \($0))" } ?? "No model runner was running"
    }
}

struct StartRunner: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start-runner", abstract: "Start the model runner in the background",
        usage: "docker model start-runner",
        discussion: "Commands that need it do so by themselves. It stops when it has been idle for 15 minutes.")

    func run() async throws {
        let context = CommandContext.current
        _ = try RunningDaemon(context.paths)
        try await withHTTPClient { http in
            if await RunnerEndpoint.socket(context.paths).answers(http) {
                context.console.out.print("A model runner is running already")
                return
            }
            _ = try await DaemonStart(context: context, http: http).start()
            context.console.out.print("Started a model runner on \(context.paths.modelRunnerSocket)")
        }
    }
}

struct RestartRunner: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart-runner", abstract: "Stop the model runner and start it again",
        usage: "docker model restart-runner",
        discussion: "So it gets what LLAMA_ARGS, LLAMA_SERVER_PATH and other variables say now.")

    func run() async throws {
        try await StopRunner().run()
        try await StartRunner().run()
    }
}
