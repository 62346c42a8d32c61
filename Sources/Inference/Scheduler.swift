package import AsyncHTTPClient
package import Core
package import Logging
internal import Synchronization
internal import SystemPackage

/// Runs what `SchedulerState` decides: keeps engines alive in one task group and hands out leases.
///
/// A lock around a value instead of an actor: releases and cancellations come from places that cannot wait.
package final class Scheduler: Sendable {
    package struct Configuration: Sendable {
        /// Engines that may exist at the same time.
        package var slots: Int
        package var idleTimeout: Duration
        package var policy: ChildProcess.Policy

        package init(slots: Int = 4, idleTimeout: Duration = .seconds(300), policy: ChildProcess.Policy = .init()) {
            self.slots = slots
            self.idleTimeout = idleTimeout
            self.policy = policy
        }
    }

    struct Start: Sendable {
        let id: Runner.ID
        let load: Load
        let stop: Promise<Void>
    }

    struct Shared: Sendable {
        var state: SchedulerState
        var nextTicket: SchedulerState.Ticket = 1
        var waiting: [SchedulerState.Ticket: Promise<Runner>] = [:]
        var stops: [Runner.ID: Promise<Void>] = [:]
        /// How the latest runners ended, for requests that were using them.
        var ends: [(id: Runner.ID, failure: Failure)] = []
    }

    package let backends: [String: any Backend]
    let configuration: Configuration
    private let client: HTTPClient
    private let logger: Logger
    private let sockets: FilePath
    private let epoch = ContinuousClock.now
    let shared: Mutex<Shared>
    private let starts: (stream: AsyncStream<Start>, continuation: AsyncStream<Start>.Continuation)
    private let deadlines: (stream: AsyncStream<Duration>, continuation: AsyncStream<Duration>.Continuation)

    /// - Parameter client: must not retry connections, or readiness is noticed late; see `engineClient`.
    package init(backends: [any Backend], configuration: Configuration, client: HTTPClient, logger: Logger) {
        self.backends = Dictionary(backends.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        self.configuration = configuration
        self.client = client
        self.logger = logger
        let state = SchedulerState(slots: configuration.slots, idleTimeout: configuration.idleTimeout)
        shared = Mutex(Shared(state: state))
        // A slot has one start at a time, so these bounds are never reached.
        starts = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(2 * state.slots.count))
        deadlines = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        sockets = Self.socketFolder()
    }

    /// A client fit for engines: many streams at once, no silent retries, no time limit on an answer.
    package static func engineClient() -> HTTPClient {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 256
        configuration.redirectConfiguration = .disallow
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// Keeps the engines until the task is cancelled, then ends them all and waits for them.
    package func run() async throws {
        Self.sweepSocketFolders(beside: sockets)
        try Files.makeDirectory(sockets, mode: 0o700)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.watchDeadlines() }
            for await start in starts.stream {
                group.addTask { await self.supervise(start) }
            }
            apply(.shutdown)
            group.cancelAll()
        }
        for waiter in shared.withLock({ $0.waiting.values }) { waiter.fulfil(.failure(SchedulerState.shuttingDown)) }
        try? Files.remove(sockets)
    }

    // MARK: Leases

    /// Runs `body` while holding a runner for this load; starts or waits for one as needed.
    ///
    /// - Throws: why the engine could not be started; `.resourceExhausted` when too many wait; `CancellationError`.
    package func withLease<R: Sendable>(
        _ load: Load, _ body: @Sendable (Runner) async throws -> R
    ) async throws -> R {
        let lease = try await lease(load)
        defer { lease.release() }
        return try await body(lease.runner)
    }

    /// A lease for code whose use of the runner outlives one function. It ends with `release` or with the object.
    package func lease(_ load: Load) async throws -> Lease {
        guard let backend = backends[load.key.backend] else {
            throw Failure(.notFound, "backend not found")
        }
        // Found out before anything is stopped to make room for it.
        _ = try backend.executable()
        let promise = Promise<Runner>()
        let ticket = shared.withLock { shared in
            defer { shared.nextTicket += 1 }
            shared.waiting[shared.nextTicket] = promise
            return shared.nextTicket
        }
        apply(.requested(ticket, load))
        do {
            return Lease(try await promise.value, of: self)
        } catch {
            let abandoned = shared.withLock { $0.waiting.removeValue(forKey: ticket) != nil }
            if abandoned {
                apply(.cancelled(ticket))
            } else if case .success(let runner) = promise.current {
                // It was granted while this request was being cancelled.
                release(runner.id)
            }
            throw error
        }
    }

    func release(_ id: Runner.ID) { apply(.released(id)) }

    /// How a runner ended, if it has ended by itself; remembered for the latest few.
    package func failure(of id: Runner.ID) -> Failure? {
        shared.withLock { $0.ends.first { $0.id == id }?.failure }
    }

    // MARK: Doing what the state decides

    var moment: Duration { ContinuousClock.now - epoch }

    /// - Returns: how many runners were told to stop.
    @discardableResult
    func apply(_ event: SchedulerState.Event) -> Int {
        let now = moment
        var stopped = 0
        let effects = shared.withLock { shared -> [@Sendable () -> Void] in
            shared.state.handle(event, at: now).compactMap { action in
                if case .stop = action { stopped += 1 }
                return effect(of: action, &shared)
            }
        }
        for effect in effects { effect() }
        return stopped
    }

    /// Books an action under the lock; what it does to the outside is returned, to be done after the lock.
    private func effect(of action: SchedulerState.Action, _ shared: inout Shared) -> (@Sendable () -> Void)? {
        switch action {
        case .grant(let ticket, let id, let load):
            let runner = Runner(id: id, load: load, address: .unix(socket(id)))
            guard let promise = shared.waiting.removeValue(forKey: ticket) else { return { self.release(id) } }
            return { promise.fulfil(.success(runner)) }
        case .refuse(let ticket, let failure):
            let promise = shared.waiting.removeValue(forKey: ticket)
            return { promise?.fulfil(.failure(failure)) }
        case .start(let id, let load):
            let start = Start(id: id, load: load, stop: Promise())
            shared.stops[id] = start.stop
            return { self.starts.continuation.yield(start) }
        case .stop(let id):
            let stop = shared.stops[id]
            return { stop?.fulfil(.success(())) }
        case .schedule(let deadline):
            return { self.deadlines.continuation.yield(deadline) }
        }
    }

    /// One runner's whole life.
    private func supervise(_ start: Start) async {
        var failure: Failure?
        do {
            guard let backend = backends[start.load.key.backend] else { throw Failure(.notFound, "backend not found") }
            let spec = try backend.command(
                for: start.load, context: start.load.plannedContext, at: .unix(socket(start.id)))
            let logger = logger
            var engineLogger = logger
            // What a log is filtered by.
            engineLogger[metadataKey: "engine"] = "\(backend.name)"
            engineLogger[metadataKey: "model"] = "\(start.load.modelName)"
            let child = ChildProcess(spec, policy: configuration.policy, client: client, logger: engineLogger)
            let began = moment
            failure = try await withThrowingTaskGroup(of: Failure?.self) { group in
                group.addTask {
                    await child.run {
                        let elapsed = self.moment - began
                        logger.info(
                            "\(backend.name) is ready", metadata: ["milliseconds": "\(elapsed.wholeMilliseconds)"])
                        self.apply(.started(start.id))
                    }
                }
                group.addTask {
                    try? await start.stop.value
                    return nil
                }
                let first = try await group.next() ?? nil
                group.cancelAll()
                return first
            }
        } catch { failure = Failure.wrapping(error, "cannot start \(start.load.key.backend)") }
        if let failure { logger.error("\(failure)") }
        shared.withLock { shared in
            shared.stops[start.id] = nil
            if let failure { shared.ends = shared.ends.suffix(15) + [(start.id, failure)] }
        }
        apply(.ended(start.id, failure))
    }

    private func watchDeadlines() async {
        for await deadline in deadlines.stream {
            // Deadlines only move later: one that was replaced meanwhile is found again by the tick.
            guard (try? await Task.sleep(until: epoch + deadline, clock: .continuous)) != nil else { return }
            apply(.tick)
        }
    }

    // MARK: Sockets

    func socket(_ id: Runner.ID) -> FilePath { sockets.appending("\(id).sock") }

    private static let folderPrefix = "wharf-run-"

    /// A short private folder: a socket's address has little room. Its name says whose it is.
    private static func socketFolder() -> FilePath {
        let name = "\(folderPrefix)\(POSIX.processID)-\(Files.unique())"
        let longest = name.utf8.count + "//18446744073709551615.sock".utf8.count
        let usual = Paths.temporary
        let fits = usual.string.utf8.count + longest <= Paths.maximumSocketPath
        return (fits ? usual : FilePath("/tmp")).appending(name)
    }

    /// Removes what daemons that were killed have left.
    private static func sweepSocketFolders(beside folder: FilePath) {
        let parent = folder.removingLastComponent()
        for name in (try? POSIX.list(parent)) ?? [] where name.hasPrefix(folderPrefix) {
            guard let process = Int32(name.dropFirst(folderPrefix.count).prefix { $0 != "-" }), process > 0,
                !POSIX.send(signal: 0, to: process)
            else { continue }
            // Somebody else's cannot be removed, and is theirs to remove.
            try? Files.remove(parent.appending(name))
        }
    }
}

extension Duration {
    var wholeMilliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
