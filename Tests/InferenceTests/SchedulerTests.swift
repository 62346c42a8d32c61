import AsyncHTTPClient
import Core
import Logging
import NIOCore
import SystemPackage
import TestSupport
import Testing

@testable import Inference

/// The scheduler with real processes: a fake engine, started and stopped as the real one is.
@Suite(.timeLimit(.minutes(2))) struct SchedulerTests {
    struct Bench: Sendable {
        let engine: FakeEngine
        let scheduler: Scheduler
        let gate: FilePath

        func load(_ name: String = "m") -> Load {
            Load(backend: LlamaServer.backendName, modelID: name, modelName: name, files: .init(weights: "/m.gguf"))
        }

        func starts() throws -> Int { try engine.count("start") }
    }

    private func withScheduler(
        slots: Int = 2, gated: Bool = false, dies: String? = nil, idle: Duration = .seconds(300),
        _ body: @Sendable @escaping (Bench) async throws -> Void
    ) async throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "sched-")
        defer { try? Files.remove(folder) }
        let engine = try FakeEngine(in: folder)
        let gate = folder.appending("gate")
        let environment = engine.environment(loadsWhen: gated ? gate : nil, dies: dies)
        let client = Scheduler.engineClient()
        let scheduler = Scheduler(
            backends: [LlamaServer(paths: Paths(environment: environment))],
            configuration: .init(slots: slots, idleTimeout: idle), client: client,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let result = await Result {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await scheduler.run() }
                group.addTask { try await body(Bench(engine: engine, scheduler: scheduler, gate: gate)) }
                // The scheduler only ends when it is cancelled, so the first to end is the body.
                try await group.next()
                group.cancelAll()
                try await group.waitForAll()
            }
        }
        try await client.shutdown()
        try result.get()
    }

    @Test func parallelRequestsStartOneProcess() async throws {
        try await withScheduler(gated: true) { bench in
            let runners = try await withThrowingTaskGroup(of: Runner.ID.self) { group in
                for _ in 0..<5 { group.addTask { try await bench.scheduler.withLease(bench.load()) { $0.id } } }
                try await bench.engine.wait(for: "start")
                #expect(bench.scheduler.running().map(\.loading) == [true])
                try bench.engine.open(gate: "gate")
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(runners.count == 1)
            #expect(try bench.starts() == 1)
        }
    }

    @Test func aDyingEngineIsExplained() async throws {
        try await withScheduler(dies: "unknown tensor type 77") { bench in
            let failure = await #expect(throws: Failure.self) {
                try await bench.scheduler.withLease(bench.load()) { _ in }
            }
            #expect(
                failure?.message
                    == "llama.cpp stopped while loading the model: exit code 1. Its last output: unknown tensor type 77"
            )
            #expect(bench.scheduler.running() == [])
        }
    }

    @Test func leavingDoesNotStopALoadOthersWaitFor() async throws {
        try await withScheduler(gated: true) { bench in
            try await withThrowingTaskGroup(of: Bool.self) { group in
                let leaving = Task { try await bench.scheduler.withLease(bench.load()) { _ in } }
                try await bench.engine.wait(for: "start")
                group.addTask { try await bench.scheduler.withLease(bench.load()) { _ in true } }
                leaving.cancel()
                await #expect(throws: CancellationError.self) { try await leaving.value }
                try bench.engine.open(gate: "gate")
                #expect(try await group.next() == true)
            }
            #expect(try bench.starts() == 1)
        }
    }

    @Test func anIdleRunnerMakesRoom() async throws {
        try await withScheduler(slots: 1) { bench in
            let first = try await bench.scheduler.withLease(bench.load("a")) { $0 }
            let second = try await bench.scheduler.withLease(bench.load("b")) { $0 }
            #expect(first.id != second.id)
            #expect(try bench.engine.count("start") == 2)
            #expect(bench.scheduler.running().map(\.modelName) == ["b"])
        }
    }

    @Test func idleRunnersEnd() async throws {
        try await withScheduler(idle: .milliseconds(1)) { bench in
            try await bench.scheduler.withLease(bench.load()) { _ in }
            while !bench.scheduler.running().isEmpty { await Task.yield() }
            #expect(try bench.starts() == 1)
        }
    }

    @Test func aCrashIsNoticed() async throws {
        try await withScheduler { bench in
            let runner = try await bench.scheduler.withLease(bench.load()) { runner in
                let process = try #require(try bench.engine.journal().last?["pid"]?.int)
                POSIX.send(signal: 9, to: Int32(process))
                while bench.scheduler.failure(of: runner.id) == nil { await Task.yield() }
                return runner
            }
            #expect(bench.scheduler.failure(of: runner.id)?.message.contains("SIGKILL") == true)
            let next = try await bench.scheduler.withLease(bench.load()) { $0 }
            #expect(next.id != runner.id)
        }
    }

    @Test func unloadSkipsWhatIsInUse() async throws {
        try await withScheduler { bench in
            try await bench.scheduler.withLease(bench.load()) { _ in
                #expect(bench.scheduler.isInUse)
                #expect(bench.scheduler.unloadAll() == 0)
            }
            #expect(bench.scheduler.unload(models: ["other"]) == 0)
            #expect(bench.scheduler.unload(models: ["m"]) == 1)
            #expect(bench.scheduler.running() == [] && !bench.scheduler.isInUse)
        }
    }

    @Test func anEngineThatIsMissingIsSaid() async throws {
        let client = Scheduler.engineClient()
        let scheduler = Scheduler(
            backends: [LlamaServer(paths: Paths(environment: ["HOME": "/nowhere"]))], configuration: .init(),
            client: client, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let load = Load(backend: LlamaServer.backendName, modelID: "m", modelName: "m", files: .init(weights: "/m"))
        let failure = await #expect(throws: Failure.self) { try await scheduler.withLease(load) { _ in } }
        #expect(failure?.code == .failedPrecondition)
        try await client.shutdown()
    }
}

extension Result where Failure == any Error {
    init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
