package import ArgumentParser
package import Core
internal import SystemPackage
internal import Terminal

/// Parses and runs a command line the way docker's plugins do: messages bare on stderr, docker's exit codes.
package enum CommandRunner {
    /// - Parameters:
    ///   - arguments: without the program's name.
    ///   - interruption: what may end the command early; nil for nothing.
    /// - Returns: the exit code.
    package static func run(
        _ root: any ParsableCommand.Type, _ arguments: [String], interruption: Interruption? = nil
    ) async -> Int32 {
        concluded(await ended(root, arguments, interruption))
    }

    /// The exit code of a program that has printed all it has to say.
    ///
    /// A reader that has gone (`| head`) has what it wanted. Output that is lost in any other way, on a full disk for
    /// example, must not look like success.
    package static func concluded(_ code: Int32) -> Int32 {
        let console = CommandContext.current.console
        guard let loss = console.out.loss, loss != .brokenPipe else { return code }
        console.err.print("cannot write stdout: \(loss)")
        return code == 0 ? 1 : code
    }

    private static func ended(
        _ root: any ParsableCommand.Type, _ arguments: [String], _ interruption: Interruption?
    ) async -> Int32 {
        let arguments = spelled(root, arguments)
        let type: any ParsableCommand.Type
        do { type = Swift.type(of: try root.parseAsRoot(arguments)) } catch { return unparsed(error, root, arguments) }
        if !type.configuration.subcommands.isEmpty && type.configuration.defaultSubcommand == nil {
            return showHelp(root, arguments, on: CommandContext.current.console.err)
        }
        guard let interruption, !(type is any HandlesSignals.Type) else {
            return finish(await perform(root, arguments), root, arguments)
        }
        let (interrupted, outcome) = await interruption.watch { await perform(root, arguments) }
        // What went wrong while it was being cancelled is of no interest.
        return interrupted ?? finish(outcome, root, arguments)
    }

    /// The arguments as ArgumentParser wants them; looked at closely only where one is like `--flag=false`.
    private static func spelled(_ root: any ParsableCommand.Type, _ arguments: [String]) -> [String] {
        guard arguments.contains(where: { CommandScan.boolean($0) != nil }), let tree = try? CommandTree(root) else {
            return arguments
        }
        return CommandScan(tree, arguments).words
    }

    /// Answers docker's or a shell's question for what may come next on a command line.
    ///
    /// - Parameter values: the values for a name such as `models` that only the machine knows.
    /// - Returns: the exit code.
    package static func complete(
        _ root: any ParsableCommand.Type, _ words: [String], withDescriptions: Bool,
        values: @Sendable (String) async -> [Candidate]
    ) async -> Int32 {
        let console = CommandContext.current.console
        do {
            let completion = await Completion(try CommandTree(root), words, values: values)
            let lines = completion.lines(withDescriptions: withDescriptions)
            console.out.print(lines.joined(separator: "\n").printable)
            console.err.print(completion.remark)
            return concluded(0)
        } catch {
            console.err.print(Failure.text(of: error).printable)
            return 1
        }
    }

    package static func exitCode(_ failure: Failure) -> Int32 { failure.code == .cancelled ? 130 : 1 }

    private static func perform(
        _ root: any ParsableCommand.Type, _ arguments: [String]
    ) async -> Interruption.Outcome {
        do {
            // A parsed command cannot go from one task to another, so the task that runs it parses.
            var command = try root.parseAsRoot(arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            return .success(())
        } catch {
            return .failure(error)
        }
    }

    private static func finish(
        _ outcome: Interruption.Outcome, _ root: any ParsableCommand.Type, _ arguments: [String]
    ) -> Int32 {
        let err = CommandContext.current.console.err
        switch outcome {
        case .success: return 0
        case .failure(let code as ExitCode): return code.rawValue
        case .failure(let failure as Failure):
            err.print(failure.description.printable)
            return exitCode(failure)
        case .failure(is OutputLost): return 0
        case .failure(is CancellationError): return 130
        case .failure(let error as ValidationError): return unparsed(error, root, arguments)
        case .failure(let error):
            if root.exitCode(for: error).isSuccess { return unparsed(error, root, arguments) }
            err.print(Failure.text(of: error).printable)
            return 1
        }
    }

    /// Help and version that were asked for, and lines that cannot be run.
    private static func unparsed(_ error: any Error, _ root: any ParsableCommand.Type, _ arguments: [String]) -> Int32 {
        let console = CommandContext.current.console
        do {
            let scan = CommandScan(try CommandTree(root), arguments)
            if scan.wantsHelp {
                console.out.print(HelpText(command: scan.command).text)
                return 0
            }
            if root.exitCode(for: error).isSuccess {
                console.out.print(root.fullMessage(for: error))
                return 0
            }
            let usage = UsageError(scan, message: root.message(for: error))
            console.err.print(usage.text.printable)
            return usage.exitCode
        } catch {
            console.err.print(Failure.text(of: error).printable)
            return 1
        }
    }

    private static func showHelp(
        _ root: any ParsableCommand.Type, _ arguments: [String], on output: Console.Output
    ) -> Int32 {
        do {
            let scan = CommandScan(try CommandTree(root), arguments)
            output.print(HelpText(command: scan.command).text)
            return 0
        } catch {
            output.print(Failure.text(of: error).printable)
            return 1
        }
    }
}
