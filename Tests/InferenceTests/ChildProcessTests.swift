import Core
import Logging
import NIOCore
import SystemPackage
import Testing

@testable import Inference

@Suite(.timeLimit(.minutes(2))) struct ChildProcessTests {
    private func run(
        _ script: String, grace: Duration = .seconds(3), load: Duration = .seconds(60),
        cancelWhen file: FilePath? = nil
    ) async throws -> Failure? {
        let spec = ChildProcess.Spec(
            name: "engine", program: "/bin/sh", arguments: ["-c", script], environment: ["PATH": "/usr/bin:/bin"],
            address: .unix(Paths.temporary.appending("wharf-\(Files.unique()).sock")))
        let child = ChildProcess(
            spec, policy: .init(grace: grace, loadTimeout: load),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let failure = await withTaskGroup(of: Failure?.self) { group in
            group.addTask { await child.run {} }
            if let file {
                while !Files.exists(file) { await Task.yield() }
                group.cancelAll()
            }
            return await group.next() ?? nil
        }
        return failure
    }

    @Test(arguments: [
        (
            "echo one; echo two >&2; exit 7",
            "engine stopped while loading the model: exit code 7. Its last output: one | two"
        ),
        (
            "kill -ILL $$",
            "engine stopped while loading the model: illegal instruction (SIGILL), this CPU lacks one the engine was built for"
        ),
        ("kill -SEGV $$", "engine stopped while loading the model: signal 11"),
    ])
    func deathWhileLoading(script: String, message: String) async throws {
        #expect(try await run(script)?.message == message)
    }

    @Test func muchOutputDoesNotBlock() async throws {
        let failure = try await run(
            "i=0; while [ $i -lt 20000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done; exit 3")
        #expect(failure?.message.hasPrefix("engine stopped while loading the model: exit code 3") == true)
    }

    @Test func loadingHasALimit() async throws {
        #expect(try await run("exec sleep 600", load: .milliseconds(30))?.code == .timedOut)
    }

    /// Also what the child has started goes, and a child that does not listen is killed.
    @Test func cancellationEndsWhatDoesNotListen() async throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "child-")
        defer { try? Files.remove(folder) }
        let started = folder.appending("started")
        let script = "trap '' TERM; sleep 600 & echo $! > \(folder)/pid; : > \(started); while :; do sleep 600; done"
        let failure = try await run(script, grace: .milliseconds(50), cancelWhen: started)
        #expect(failure == nil, "\(failure?.description ?? "")")
        let text = String(buffer: try Files.read(folder.appending("pid")))
        let grandchild = try #require(Int32(text.filter { !$0.isWhitespace }))
        while POSIX.send(signal: 0, to: grandchild), !Self.isZombie(grandchild) { await Task.yield() }
    }

    /// Where nobody reaps orphans, a dead process stays in the table.
    private static func isZombie(_ process: Int32) -> Bool {
        let text = (try? Files.read(FilePath("/proc/\(process)/stat"))).map { String(buffer: $0) } ?? ""
        return text.contains(") Z ")
    }

    @Test func aMissingProgramIsSaid() async throws {
        let spec = ChildProcess.Spec(
            name: "engine", program: "/no/such", arguments: [], environment: [:], address: .unix("/tmp/x.sock"))
        let child = ChildProcess(
            spec, policy: .init(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        #expect(await child.run {}?.message == "cannot run engine")
    }
}
