package import ArgumentParser
package import Core
internal import Terminal

/// Parses and runs a command line the way docker's plugins do: messages bare on stderr, docker's exit codes.
package enum CommandRunner {
    /// A flag that is unknown or lacks its value.
    static let usageError: Int32 = 125

    /// - Parameter arguments: without the program's name.
    /// - Returns: the exit code.
    package static func run(_ root: any ParsableCommand.Type, _ arguments: [String]) async -> Int32 {
        await run(type: root, arguments)
    }

    private static func run<Root: ParsableCommand>(type: Root.Type, _ arguments: [String]) async -> Int32 {
        let console = CommandContext.current.console
        do {
            var command = try Root.parseAsRoot(arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            return 0
        } catch let code as ExitCode {
            return code.rawValue
        } catch let failure as Failure {
            console.err.print(failure.description)
            return exitCode(failure)
        } catch is CancellationError {
            return 130
        } catch {
            let code = Root.exitCode(for: error)
            if code.isSuccess {
                console.out.print(Root.fullMessage(for: error))
                return 0
            }
            guard code == .validationFailure else {
                console.err.print(Failure.text(of: error))
                return 1
            }
            console.err.print(usage(Root.message(for: error), full: Root.fullMessage(for: error)))
            return usageError
        }
    }

    package static func exitCode(_ failure: Failure) -> Int32 { failure.code == .cancelled ? 130 : 1 }

    /// `message`, the usage line, and where to read more, as docker lays a usage error out.
    static func usage(_ message: String, full: String) -> String {
        let lines = full.split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
        let usage = lines.filter { $0.hasPrefix("Usage: ") }.map { "Usage:  \($0.dropFirst(7))" }
        let path = lines.lazy.compactMap { line -> Substring? in
            guard let start = line.firstRange(of: "See '")?.upperBound,
                let end = line.firstRange(of: " --help'")?.lowerBound, start < end
            else { return nil }
            return line[start..<end]
        }.first
        let more = path.map { "Run '\($0) --help' for more information" }
        return ([docker(message, usage: usage.first ?? "", path: path)] + usage + [more].compactMap { $0 }).joined(
            separator: "\n\n")
    }

    /// Docker's words for the commonest mistakes.
    private static func docker(_ message: String, usage: String, path: Substring?) -> String {
        if message.hasPrefix("Unknown option '"), let flag = message.split(separator: "'").dropFirst().first {
            return flag.hasPrefix("--") ? "unknown flag: \(flag)" : "unknown shorthand flag: \(flag)"
        }
        if message.hasPrefix("Unexpected argument '"), usage.contains(" <subcommand>"),
            let word = message.split(separator: "'").dropFirst().first, let path
        {
            return "unknown command: \(path) \(word)"
        }
        return message
    }
}
