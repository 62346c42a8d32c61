import ArgumentParser
import Core
import DockerEngine
import Synchronization
import SystemPackage
import Terminal
import Testing

@testable import Commands

private struct Thing: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "thing", abstract: "Does a thing", usage: "docker thing [OPTIONS] NAME")
    @Option(help: "How it fails.") var fail: String?
    @Option(help: "How often.") var times = 1
    @Argument var name: String

    func validate() throws { if times > 9 { throw ValidationError("--times is at most 9") } }

    func run() async throws {
        if fail == "unread" {
            CommandContext.current.console.out.print(name)
            try CommandContext.current.console.out.checkIsRead()
            throw Failure(.internalError, "somebody reads")
        }
        if fail == "loudly" { throw Failure(.internalError, "it said \u{1B}]0;title\u{7}") }
        if let fail, let code = Failure.Code(rawValue: fail) { throw Failure(code, "it failed", advice: "Do better") }
        CommandContext.current.console.out.print(name)
    }
}

private struct Needy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "needy", abstract: "Needs a file")
    @Option var from: String
    @Argument var names: [String]
}

private struct Maybe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "maybe")
    @Argument var name: String?
}

private struct None: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "none")
}

private struct Group: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "group", abstract: "Manage things", subcommands: [None.self, Maybe.self])
}

private struct Flags: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "flags")
    @Flag(inversion: .prefixedNo) var log = true
    @Flag var loud = false
    @Argument var words: [String] = []

    func run() async throws { CommandContext.current.console.out.print("\(log) \(loud) \(words)") }
}

private struct Root: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "docker", subcommands: [Thing.self, Needy.self, Flags.self, Group.self])
}

@Suite struct CommandRunnerTests {
    @Test(arguments: [
        ([], "true false []"), (["--log=false"], "false false []"), (["--log=1", "--loud=T"], "true true []"),
        (["--loud=true", "--loud=false", "x"], "true false [\"x\"]"), (["--no-log=false"], "true false []"),
        (["--", "--log=false"], #"true false ["--log=false"]"#),
    ])
    func flagsMayHaveValuesAsDockersDo(arguments: [String], said: String) async {
        let outcome = await run(["flags"] + arguments)
        #expect(outcome.out == said + "\n")
        #expect(outcome.status == 0)
    }

    @Test(arguments: ["--log=maybe", "--nothing=false"])
    func aFlagsValueIsATruth(word: String) async {
        #expect(await run(["flags", word]).status != 0)
    }

    private func run(_ arguments: [String]) async -> (status: Int32, out: String, err: String) {
        let texts = Mutex((out: [UInt8](), err: [UInt8]()))
        let console = Console(
            out: .init { bytes in texts.withLock { $0.out += bytes } },
            err: .init { bytes in texts.withLock { $0.err += bytes } })
        let context = CommandContext(
            console: console, paths: Paths(environment: [:]), globals: PluginGlobals(), program: "wharf")
        let status = await CommandContext.$current.withValue(context) { await CommandRunner.run(Root.self, arguments) }
        return texts.withLock {
            (status, String(decoding: $0.out, as: UTF8.self), String(decoding: $0.err, as: UTF8.self))
        }
    }

    @Test func aCommandThatWorksSaysNothingElse() async {
        #expect(await run(["thing", "x"]) == (0, "x\n", ""))
    }

    @Test(arguments: [("notFound", 1), ("cancelled", 130), ("internalError", 1)] as [(String, Int32)])
    func aFailureIsOneBareLine(_ code: String, _ status: Int32) async {
        #expect(await run(["thing", "--fail", code, "x"]) == (status, "", "it failed. Do better.\n"))
    }

    @Test func aFailureThatQuotesAnAnswerCannotDriveTheTerminal() async {
        #expect(await run(["thing", "--fail", "loudly", "x"]).err == "it said \u{FFFD}]0;title\u{FFFD}\n")
    }

    struct Mistake: Sendable, CustomTestStringConvertible {
        let line: String
        let status: Int32
        let says: String
        /// The command whose usage and help are pointed out.
        let path: String
        var usage = ""
        var testDescription: String { line }

        init(_ line: String, _ status: Int32, _ says: String, _ path: String, _ usage: String = "") {
            (self.line, self.status, self.says, self.path, self.usage) = (line, status, says, path, usage)
        }
    }

    @Test(arguments: [
        Mistake("thing --nonsense x", 125, "unknown flag: --nonsense", "thing", " [OPTIONS] NAME"),
        Mistake("thing x --nonsense=y", 125, "unknown flag: --nonsense", "thing", " [OPTIONS] NAME"),
        Mistake("thing -Zx", 125, "unknown shorthand flag: 'Z' in -Zx", "thing", " [OPTIONS] NAME"),
        Mistake("thing x --fail", 125, "flag needs an argument: --fail", "thing", " [OPTIONS] NAME"),
        Mistake(
            "thing --times often x", 125, #"invalid argument "often" for "--times" flag"#, "thing", " [OPTIONS] NAME"),
        Mistake("needy x", 1, #"required flag(s) "from" not set"#, "needy", " [OPTIONS] NAMES [NAMES...]"),
        Mistake("nonsense", 1, "docker: unknown command: docker nonsense", ""),
        Mistake("group nonsense x", 1, "docker: unknown command: docker group nonsense", "group"),
        Mistake("group -x", 125, "unknown shorthand flag: 'x' in -x", "group"),
    ])
    func aMistakeIsSaidAsDockerSaysIt(_ mistake: Mistake) async {
        let path = mistake.path.isEmpty ? "docker" : "docker \(mistake.path)"
        let outcome = await run(mistake.line.split(separator: " ").map(String.init))
        let text = "\(mistake.says)\n\nUsage:  \(path)\(mistake.usage)\n\nRun '\(path) --help' for more information\n"
        #expect(outcome.err == text)
        #expect(outcome.status == mistake.status)
        #expect(outcome.out.isEmpty)
    }

    @Test(arguments: [
        ("thing", "'docker thing' requires 1 argument."),
        ("thing x y", "'docker thing' requires 1 argument."),
        ("needy", "'docker needy' requires at least 1 argument."),
        ("group maybe x y", "'docker group maybe' requires at most 1 argument."),
        ("group none x", "'docker group none' accepts no arguments."),
    ])
    func aWrongNumberOfArgumentsIsSaidAsDockerSaysIt(_ line: String, _ says: String) async throws {
        let outcome = await run(line.split(separator: " ").map(String.init))
        #expect(outcome.status == 1)
        let paragraphs = outcome.err.split(separator: "\n\n").map(String.init)
        try #require(paragraphs.count == 3, "\(outcome.err)")
        #expect(paragraphs[0] == says)
        #expect(paragraphs[1].hasPrefix("Usage:  docker "))
        #expect(paragraphs[2].hasPrefix("See 'docker ") && paragraphs[2].hasSuffix(" --help' for more information\n"))
        #expect(outcome.out.isEmpty)
    }

    @Test func whatACommandItselfRefusesPointsToItsHelp() async {
        let outcome = await run(["thing", "--times", "10", "x"])
        #expect(outcome == (1, "", "--times is at most 9\n\nRun 'docker thing --help' for more information\n"))
    }

    @Test(arguments: ["thing --help", "thing -h", "help thing", "thing x --help", "thing --nonsense --help"])
    func helpGoesToStandardOutput(_ line: String) async {
        let outcome = await run(line.split(separator: " ").map(String.init))
        #expect(outcome.status == 0)
        #expect(
            outcome.out == """
                Usage:  docker thing [OPTIONS] NAME

                Does a thing

                Options:
                      --fail string   How it fails.
                      --times int     How often. (default 1)

                """)
        #expect(outcome.err.isEmpty)
    }

    @Test func aGroupAloneShowsItsHelpOnStandardErrorAndSucceeds() async {
        let outcome = await run(["group"])
        #expect(outcome.status == 0)
        #expect(outcome.out.isEmpty)
        #expect(outcome.err.hasPrefix("Usage:  docker group COMMAND\n\nManage things\n\nCommands:\n  maybe"))
    }

    private func run(_ arguments: [String], out: Console.Output) async -> (status: Int32, err: String) {
        let err = Mutex<[UInt8]>([])
        let console = Console(out: out, err: .init { bytes in err.withLock { $0 += bytes } })
        let context = CommandContext(
            console: console, paths: Paths(environment: [:]), globals: PluginGlobals(), program: "wharf")
        let status = await CommandContext.$current.withValue(context) { await CommandRunner.run(Root.self, arguments) }
        return (status, err.withLock { String(decoding: $0, as: UTF8.self) })
    }

    @Test(arguments: [["thing", "x"], ["thing", "--help"]])
    func outputThatIsLostIsNoSuccess(_ arguments: [String]) async throws {
        let readOnly = try FileDescriptor.open("/dev/null", .readOnly)
        defer { try? readOnly.close() }
        let outcome = await run(arguments, out: .init(readOnly, environment: [:]))
        #expect(outcome == (1, "cannot write stdout: Bad file descriptor\n"))
    }

    @Test(arguments: [["thing", "x"], ["thing", "--help"], ["thing", "--fail", "unread", "x"]])
    func aReaderThatHasGoneHadWhatItWanted(_ arguments: [String]) async throws {
        POSIX.ignoreBrokenPipes()
        let (reader, writer) = try FileDescriptor.pipe()
        try reader.close()
        defer { try? writer.close() }
        let outcome = await run(arguments, out: .init(writer, environment: [:]))
        #expect(outcome == (0, ""))
    }

    @Test func aPartOfACommandIsInterruptedAlone() async throws {
        let catcher = Interruption.Catcher()
        try await Interruption.$catcher.withValue(catcher) {
            let isUnderWay = Promise<Void>()
            async let part: Int? = Interruption.catching {
                isUnderWay.fulfil(.success(()))
                await untilCancelled()
                return 1
            }
            try await isUnderWay.value
            #expect(catcher.take())
            // The second one is for the command.
            #expect(!catcher.take())
            #expect(try await part == nil)
            #expect(try await Interruption.catching { 5 } == 5)
            #expect(!catcher.take())
            await #expect(throws: Failure.self) {
                try await Interruption.catching { throw Failure(.internalError, "it failed") }
            }
        }
        #expect(try await Interruption.catching { 5 } == 5)
    }

    @Test func aCommandThatIsNotInterruptedEndsAsItWould() async {
        let ended = await Interruption(pluginSocket: "@wharf-nobody-listens-here").watch { .success(()) }
        #expect(ended.interrupted == nil)
        #expect(throws: Never.self) { try ended.outcome.get() }
    }
}
