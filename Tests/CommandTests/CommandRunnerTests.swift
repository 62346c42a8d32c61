import ArgumentParser
import Core
import DockerEngine
import Synchronization
import SystemPackage
import Terminal
import Testing

@testable import Commands

private struct Root: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "docker", subcommands: [Thing.self])
}

private struct Thing: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "thing", usage: "docker thing [--fail CODE] NAME")
    @Option var fail: String?
    @Argument var name: String

    func run() async throws {
        if let fail, let code = Failure.Code(rawValue: fail) { throw Failure(code, "it failed", advice: "Do better") }
        CommandContext.current.console.out.print(name)
    }
}

@Suite struct CommandRunnerTests {
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

    @Test func anUnknownFlagIsSaidAsDockerSaysIt() async {
        let outcome = await run(["thing", "--nonsense", "x"])
        #expect(outcome.status == 125)
        #expect(
            outcome.err == """
                unknown flag: --nonsense

                Usage:  docker thing [--fail CODE] NAME

                Run 'docker thing --help' for more information

                """)
    }

    @Test func aMissingArgumentIsAUsageError() async {
        let outcome = await run(["thing"])
        #expect(outcome.status == 125)
        #expect(outcome.err.contains("<name>"))
        #expect(outcome.out.isEmpty)
    }

    @Test func helpGoesToStandardOutput() async {
        let outcome = await run(["thing", "--help"])
        #expect(outcome.status == 0)
        #expect(outcome.out.contains("docker thing [--fail CODE] NAME"))
        #expect(outcome.err.isEmpty)
    }
}
