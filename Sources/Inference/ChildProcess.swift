package import Core
package import Logging
internal import NIOCore
internal import Synchronization
package import SystemPackage

/// One supervised engine process: started, watched until it is ready, ended gracefully, its last words kept.
package struct ChildProcess: Sendable {
    /// What to run.
    package struct Spec: Sendable, Hashable {
        /// The backend's name, for messages.
        package var name: String
        package var program: FilePath
        package var arguments: [String]
        package var environment: [String: String]
        /// Where it will answer HTTP.
        package var address: EngineAddress
        /// The path that answers 200 once the model is loaded.
        package var readiness: String

        package init(
            name: String, program: FilePath, arguments: [String], environment: [String: String], address: EngineAddress,
            readiness: String = "/health"
        ) {
            self.name = name
            self.program = program
            self.arguments = arguments
            self.environment = environment
            self.address = address
            self.readiness = readiness
        }
    }

    /// How the child is treated.
    package struct Policy: Sendable {
        /// Our own executable, through whose `__child` the engine is started so that it dies with us; nil runs it directly.
        package var trampoline: FilePath?
        /// From SIGTERM to SIGKILL.
        package var grace: Duration
        /// How long loading may take.
        package var loadTimeout: Duration

        package init(trampoline: FilePath? = nil, grace: Duration = .seconds(3), loadTimeout: Duration = .seconds(600))
        {
            self.trampoline = trampoline
            self.grace = grace
            self.loadTimeout = loadTimeout
        }
    }

    package let spec: Spec
    package let policy: Policy
    private let logger: Logger

    /// - Parameter logger: gets every line the child writes.
    package init(_ spec: Spec, policy: Policy, logger: Logger) {
        self.spec = spec
        self.policy = policy
        self.logger = logger
    }

    /// Runs the child until it ends by itself; cancel the task to end it.
    ///
    /// - Parameters:
    ///   - onStart: called with the process's number.
    ///   - onReady: called once, when the readiness path has answered 200.
    /// - Returns: why it ended, when it was not asked to; nil after cancellation.
    package func run(
        onStart: @escaping @Sendable (Int32) -> Void = { _ in }, onReady: @escaping @Sendable () -> Void
    ) async -> Failure? {
        let output = ChildOutput(logger: logger)
        let ready = Promise<Void>()
        do {
            // A file left by a killed engine would make the next one fail to bind.
            try removeSocket()
            let exit = try await withThrowingTaskGroup(of: ChildExit?.self) { group in
                group.addTask { try await execute(output, onStart) }
                group.addTask {
                    try await Readiness(
                        address: spec.address, path: spec.readiness, timeout: policy.loadTimeout
                    ).wait()
                    ready.fulfil(.success(()))
                    onReady()
                    return nil
                }
                defer { group.cancelAll() }
                while let finished = try await group.next() {
                    if let exit = finished { return exit }
                }
                throw CancellationError()
            }
            try? removeSocket()
            if Task.isCancelled { return nil }
            return ExitReport(name: spec.name, exit: exit, wasReady: ready.current != nil, tail: output.tail).failure
        } catch {
            try? removeSocket()
            if Task.isCancelled { return nil }
            return Failure.wrapping(error, "cannot run \(spec.name)")
        }
    }

    private func removeSocket() throws {
        if case .unix(let path) = spec.address { try Files.remove(path) }
    }

    private func execute(_ output: ChildOutput, _ onStart: (Int32) -> Void) async throws -> ChildExit {
        var program = spec.program
        var arguments = spec.arguments
        if let trampoline = policy.trampoline {
            arguments = ChildTrampoline.arguments(program: program, arguments: arguments)
            program = trampoline
        }
        let exit = try await Spawn.run(
            program: program.string, arguments: arguments, environment: spec.environment, grace: policy.grace,
            started: {
                onStart($0)
                logger.debug("started \(spec.name)", metadata: ["pid": "\($0)", "program": "\(spec.program)"])
            },
            output: { output.take($0) })
        output.finish()
        return exit
    }
}

/// What a child writes: kept as a tail, and passed on line by line.
private final class ChildOutput: Sendable {
    private struct State: Sendable {
        var tail = LogTail()
        var lines = LineSplitter(maximumLength: 64 << 10)
    }

    private let state = Mutex(State())
    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    var tail: LogTail { state.withLock { $0.tail } }

    func take(_ bytes: ByteBuffer) {
        let lines = state.withLock { state in
            state.tail.append(bytes)
            do { return try state.lines.append(bytes) } catch {
                state.lines = LineSplitter(maximumLength: state.lines.maximumLength)
                return [ByteBuffer(string: "(a very long line was left out)")]
            }
        }
        for line in lines where line.readableBytes > 0 { logger.info("\(String(buffer: line))") }
    }

    func finish() {
        if let rest = state.withLock({ $0.lines.finish() }) { logger.info("\(String(buffer: rest))") }
    }
}
