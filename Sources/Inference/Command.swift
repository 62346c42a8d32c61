internal import Core
internal import NIOCore
internal import SystemPackage

/// A program run once for its answer.
struct Command {
    let program: FilePath
    let arguments: [String]
    let environment: [String: String]
    /// Our own executable, through which the program is started where it must not outlive us.
    let trampoline: FilePath?

    init(
        _ program: FilePath, _ arguments: [String], environment: [String: String], trampoline: FilePath? = nil
    ) {
        self.program = program
        self.arguments = arguments
        self.environment = environment
        self.trampoline = trampoline
    }

    /// Both output streams, their last 64 KiB.
    ///
    /// - Throws: `.internalError` with the last lines when it ends with anything but 0.
    func output(within limit: Duration? = nil) async throws -> String {
        guard let limit else { return try await run() }
        return try await withDeadline(limit, "\(program) has not answered after \(limit.components.seconds) s") {
            try await run()
        }
    }

    private func run() async throws -> String {
        var tail = LogTail(capacity: 64 << 10)
        let exit: ChildExit
        do {
            exit = try await Spawn.run(
                program: (trampoline ?? program).string,
                arguments: trampoline == nil
                    ? arguments : ChildTrampoline.arguments(program: program, arguments: arguments),
                environment: environment, grace: .seconds(2),
                output: { tail.append($0) })
        } catch { throw Failure(.internalError, "cannot run \(program)", cause: error) }
        try Task.checkCancellation()
        guard exit == .code(0) else {
            let reason =
                switch exit {
                case .code(let code): "exit code \(code)"
                case .signal(4): "illegal instruction (SIGILL), this CPU lacks one it was built for"
                case .signal(let signal): "signal \(signal)"
                }
            let words = tail.lastLines(4).joined(separator: " | ")
            throw Failure(.internalError, "\(program) failed with \(reason)\(words.isEmpty ? "" : ": \(words)")")
        }
        return tail.text
    }
}
