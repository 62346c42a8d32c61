package import Core
package import Logging
internal import Synchronization
package import SystemPackage

/// Runs what `SchedulerState` decides: keeps engines alive in one task group and hands out leases.
///
/// A lock around a value instead of an actor: releases and cancellations come from places that cannot wait.
package final class Scheduler: Sendable {
    package struct Configuration: Sendable {
        /// Engines that may exist at the same time; memory is most often the narrower bound.
        package var slots: Int
        package var policy: ChildProcess.Policy
        package var budget: MemoryBudget
        /// The file for what engines have taken; nil: not longer than the daemon.
        package var measurements: FilePath?

        package init(
            slots: Int = 8, policy: ChildProcess.Policy = .init(), budget: MemoryBudget = .unlimited,
            measurements: FilePath? = nil
        ) {
            self.slots = slots
            self.policy = policy
            self.budget = budget
            self.measurements = measurements
        }
    }

    struct Start: Sendable {
        let occupant: SchedulerState.Occupant
        let stop: Promise<Void>
    }

    struct Shared: Sendable {
        var state: SchedulerState
        var nextTicket: SchedulerState.Ticket = 1
        var waiting: [SchedulerState.Ticket: Promise<Runner>] = [:]
        var stops: [Runner.ID: Promise<Void>] = [:]
        /// Where engines listen that had to be given a port.
        var addresses: [Runner.ID: EngineAddress] = [:]
        /// How the latest runners ended, for requests that were using them.
        var ends: [(id: Runner.ID, failure: Failure)] = []
    }

    package let backends: [String: any Backend]
    let configuration: Configuration
    private let logger: Logger
    private let sockets: FilePath
    private let epoch = ContinuousClock.now
    let shared: Mutex<Shared>
    package let measurements: MeasuredMemory
    private let starts: (stream: AsyncStream<Start>, continuation: AsyncStream<Start>.Continuation)
    private let deadlines: (stream: AsyncStream<Duration>, continuation: AsyncStream<Duration>.Continuation)

    package init(backends: [any Backend], configuration: Configuration, logger: Logger) {
        self.backends = Dictionary(backends.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        self.configuration = configuration
        self.logger = logger
        measurements = MeasuredMemory(configuration.measurements)
        let state = SchedulerState(slots: configuration.slots, budget: configuration.budget.total)
        shared = Mutex(Shared(state: state))
        // A slot has one start at a time, so these bounds are never reached.
        starts = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(2 * state.slots.count))
        deadlines = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(16))
        sockets = Self.socketFolder()
    }

    /// Keeps the engines until the task is cancelled, then ends them all and waits for them.
    package func run() async throws {
        Self.sweepSocketFolders(beside: sockets)
        try Files.makeDirectory(sockets, mode: 0o700)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.watchDeadlines() }
            group.addTask { await self.prepareBackends() }
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
        if let lease = readyLease(load) { return lease }
        return try await request(load).lease()
    }

    /// A lease of a runner that is ready; nil where one would have to wait.
    package func readyLease(_ load: Load) -> Lease? {
        let now = moment
        let runner = shared.withLock { shared in shared.state.use(load, at: now).map { self.runner($0, shared) } }
        return runner.map { Lease($0, of: self) }
    }

    /// Asks for a lease; what is returned tells how far that is.
    ///
    /// - Throws: what is known at once: an unknown backend, one that is not installed.
    package func request(_ load: Load) throws -> LeaseRequest {
        guard let backend = backends[load.key.backend] else {
            throw Failure(.notFound, "backend not found")
        }
        // Found out before anything is stopped to make room for it.
        if !shared.withLock({ $0.state.isReady(load) }) { _ = try backend.executable() }
        let promise = Promise<Runner>()
        let ticket = shared.withLock { shared in
            defer { shared.nextTicket += 1 }
            shared.waiting[shared.nextTicket] = promise
            return shared.nextTicket
        }
        apply(.requested(ticket, load))
        return LeaseRequest(ticket: ticket, promise: promise, of: self)
    }

    func abandon(_ ticket: SchedulerState.Ticket, _ promise: Promise<Runner>) {
        let abandoned = shared.withLock { $0.waiting.removeValue(forKey: ticket) != nil }
        if abandoned {
            apply(.cancelled(ticket))
        } else if case .success(let runner) = promise.current {
            // It was granted while this request was being cancelled.
            release(runner.id)
        }
    }

    /// Where a request stands that waits; nil when it does not.
    func position(of ticket: SchedulerState.Ticket) -> WaitingPosition? {
        shared.withLock { $0.state.position(of: ticket) }
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
        var (stopped, effects) = (0, [@Sendable () -> Void]())
        let handle = { (shared: inout Shared) in
            for action in shared.state.handle(event, at: now) {
                if case .stop = action { stopped += 1 }
                if let effect = self.effect(of: action, &shared) { effects.append(effect) }
            }
        }
        let isDone = shared.withLock { shared in
            if configuration.budget.followsAvailability, shared.state.needsMemory(event) { return false }
            handle(&shared)
            return true
        }
        if !isDone {
            // Looked at without the lock, for it takes a few system calls.
            let available = SystemMemory.current?.available
            shared.withLock { shared in
                if let available { shared.state.available = available }
                handle(&shared)
            }
        }
        for effect in effects { effect() }
        return stopped
    }

    /// Books an action under the lock; what it does to the outside is returned, to be done after the lock.
    private func effect(of action: SchedulerState.Action, _ shared: inout Shared) -> (@Sendable () -> Void)? {
        switch action {
        case .grant(let ticket, let occupant):
            let runner = runner(occupant, shared)
            guard let promise = shared.waiting.removeValue(forKey: ticket) else {
                return { self.release(occupant.id) }
            }
            return { promise.fulfil(.success(runner)) }
        case .refuse(let ticket, let failure):
            let promise = shared.waiting.removeValue(forKey: ticket)
            return { promise?.fulfil(.failure(failure)) }
        case .start(let occupant):
            let start = Start(occupant: occupant, stop: Promise())
            shared.stops[occupant.id] = start.stop
            return { self.starts.continuation.yield(start) }
        case .stop(let id):
            let stop = shared.stops[id]
            return { stop?.fulfil(.success(())) }
        case .schedule(let deadline):
            return { self.deadlines.continuation.yield(deadline) }
        }
    }

    func runner(_ occupant: SchedulerState.Occupant, _ shared: borrowing Shared) -> Runner {
        Runner(
            id: occupant.id, load: occupant.load, context: occupant.context,
            address: shared.addresses[occupant.id] ?? .unix(socket(occupant.id)))
    }

    /// One runner's whole life.
    private func supervise(_ start: Start) async {
        let (id, load) = (start.occupant.id, start.occupant.load)
        var failure: Failure?
        do {
            guard let backend = backends[load.key.backend] else { throw Failure(.notFound, "backend not found") }
            if backend.mustPrepare { await backend.prepare() }
            let address = try await address(for: backend, id)
            let spec = try backend.command(for: load, context: start.occupant.context, at: address)
            let logger = logger
            var engineLogger = logger
            // What a log is filtered by.
            engineLogger[metadataKey: "engine"] = "\(backend.name)"
            engineLogger[metadataKey: "model"] = "\(load.modelName)"
            let child = ChildProcess(spec, policy: configuration.policy, logger: engineLogger)
            let began = moment
            let process = Promise<Int32>()
            failure = try await withThrowingTaskGroup(of: Failure?.self) { group in
                group.addTask {
                    await child.run(onStart: { process.fulfil(.success($0)) }) {
                        let elapsed = self.moment - began
                        logger.info(
                            "\(backend.name) is ready", metadata: ["milliseconds": "\(elapsed.wholeMilliseconds)"])
                        self.apply(.started(id))
                    }
                }
                group.addTask {
                    try? await start.stop.value
                    self.measure(process.current, start.occupant)
                    return nil
                }
                let first = try await group.next() ?? nil
                group.cancelAll()
                return first
            }
        } catch { failure = Failure.wrapping(error, "cannot start \(load.key.backend)") }
        if let failure { logger.error("\(failure)") }
        shared.withLock { shared in
            shared.stops[id] = nil
            shared.addresses[id] = nil
            if let failure { shared.ends = shared.ends.suffix(15) + [(id, failure)] }
        }
        apply(.ended(id, failure))
    }

    /// Looks for GPUs, and takes what is free of their memory as what models may take.
    private func prepareBackends() async {
        for backend in backends.values.sorted(by: { $0.name < $1.name }) { await backend.prepare() }
        let devices = backends.values.map(\.devices).filter { $0 != .none }
        guard let most = devices.map(\.free).max(), configuration.budget.total != .unlimited else { return }
        shared.withLock { $0.state.budget.device = Int64(Double(most) * Self.deviceShare) }
    }

    /// The share of a GPU's free memory that models may take; drivers need some, and pictures on the screen.
    private static let deviceShare = 0.95

    private func address(for backend: any Backend, _ id: Runner.ID) async throws -> EngineAddress {
        guard backend.listening == .loopbackPort else { return .unix(socket(id)) }
        let address = EngineAddress.loopback(port: try await FreePort.find())
        shared.withLock { $0.addresses[id] = address }
        return address
    }

    /// Takes note of the memory an engine has needed, just before it ends.
    private func measure(_ process: Result<Int32, any Error>?, _ occupant: SchedulerState.Occupant) {
        guard case .success(let process) = process, occupant.load.memory?.placement == .host,
            let bytes = SystemMemory.peak(of: process)
        else { return }
        measurements.note(bytes, of: occupant.load, context: occupant.context)
    }

    private func watchDeadlines() async {
        await withDiscardingTaskGroup { group in
            for await deadline in deadlines.stream {
                group.addTask {
                    guard (try? await Task.sleep(until: self.epoch + deadline, clock: .continuous)) != nil else {
                        return
                    }
                    self.apply(.tick)
                }
            }
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
