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

        func load(_ name: String = "m", keep: KeepAlive = .standard) -> Load {
            Load(
                backend: LlamaServer.backendName, modelID: name, modelName: name, files: .init(weights: "/m.gguf"),
                keepAlive: keep)
        }

        func starts() throws -> Int { try engine.count("start") }
    }

    private func withScheduler(
        slots: Int = 2, gated: Bool = false, dies: String? = nil,
        _ body: @Sendable @escaping (Bench) async throws -> Void
    ) async throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "sched-")
        defer { try? Files.remove(folder) }
        let engine = try FakeEngine(in: folder)
        let gate = folder.appending("gate")
        let environment = engine.environment(loadsWhen: gated ? gate : nil, dies: dies)
        let scheduler = Scheduler(
            backends: [LlamaServer(paths: Paths(environment: environment))],
            configuration: .init(slots: slots),
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

    /// Once more with a smaller context, never a loop.
    @Test func anEngineThatDiesOfMemoryIsStartedTwice() async throws {
        try await withScheduler(dies: "std::bad_alloc") { bench in
            let failure = await #expect(throws: Failure.self) {
                try await bench.scheduler.withLease(bench.load()) { _ in }
            }
            #expect(failure?.code == .resourceExhausted && failure?.advice?.hasPrefix("Use a smaller") == true)
            let contexts = try bench.engine.journal().compactMap { event -> String? in
                let words = (event["arguments"]?.array ?? []).compactMap(\.string)
                return words.firstIndex(of: "--ctx-size").map { words[$0 + 1] }
            }
            #expect(contexts == ["8192", "4096"])
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

    @Test(arguments: [KeepAlive.after(.milliseconds(1)), .after(.zero)]) func idleRunnersEnd(keep: KeepAlive)
        async throws
    {
        try await withScheduler { bench in
            try await bench.scheduler.withLease(bench.load(keep: keep)) { _ in }
            while !bench.scheduler.running().isEmpty { await Task.yield() }
            #expect(try bench.starts() == 1)
        }
    }

    /// A short time that begins while a longer one runs.
    @Test func anEarlierEndIsNotSleptThrough() async throws {
        try await withScheduler { bench in
            try await bench.scheduler.withLease(bench.load("long")) { _ in }
            try await bench.scheduler.withLease(bench.load("short", keep: .after(.milliseconds(1)))) { _ in }
            while bench.scheduler.running().map(\.modelName) != ["long"] { await Task.yield() }
        }
    }

    @Test func whoWaitsSeesHowFarItIs() async throws {
        try await withScheduler(slots: 1, gated: true) { bench in
            let first = try bench.scheduler.request(bench.load("a"))
            let second = try bench.scheduler.request(bench.load("b"))
            #expect(first.position == .loading && second.position == .queued(ahead: 0))
            try bench.engine.open(gate: "gate")
            let lease = try await first.lease()
            #expect(first.position == nil)
            lease.release()
            try await second.lease().release()
        }
    }

    /// A request that is dropped before anybody has waited for it leaves nothing behind.
    @Test func whatNobodyWaitsForIsGivenUp() async throws {
        try await withScheduler { bench in
            do { _ = try bench.scheduler.request(bench.load()) }
            while bench.scheduler.running().map(\.loading) != [false] { await Task.yield() }
            #expect(!bench.scheduler.isInUse)
        }
    }

    @Test func whatAnEngineTookIsRemembered() async throws {
        try await withScheduler { bench in
            let load = Load(
                backend: LlamaServer.backendName, modelID: "m", modelName: "m", files: .init(weights: "/m.gguf"),
                keepAlive: .after(.zero), memory: MemoryEstimate([]))
            try await bench.scheduler.withLease(load) { _ in }
            while !bench.scheduler.running().isEmpty { await Task.yield() }
            while bench.scheduler.measurements.run(of: load.key) == nil { await Task.yield() }
            let run = try #require(bench.scheduler.measurements.run(of: load.key))
            #expect(run.bytes > 1 << 20 && run.bytes < 1 << 30, "\(run)")
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
        let scheduler = Scheduler(
            backends: [LlamaServer(paths: Paths(environment: ["HOME": "/nowhere"]))], configuration: .init(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let load = Load(backend: LlamaServer.backendName, modelID: "m", modelName: "m", files: .init(weights: "/m"))
        let failure = await #expect(throws: Failure.self) { try await scheduler.withLease(load) { _ in } }
        #expect(failure?.code == .failedPrecondition)
    }
}

extension Result where Failure == any Error {
    init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
