internal import Core
internal import NIOCore
internal import RunnerAPI
internal import SystemPackage

/// The daemon of this user on this machine, to be ended. Never one that `MODEL_RUNNER_HOST` names.
struct RunningDaemon: Sendable {
    let socket: FilePath

    /// How long a daemon may take: it gives answers under way 10 seconds, and its engines some more.
    static let limit = Duration.seconds(30)

    /// - Throws: `.unsupported` when the user has said that the runner is somewhere else.
    init(_ paths: Paths) throws {
        guard paths.setting("MODEL_RUNNER_HOST") == nil else {
            throw Failure(
                .unsupported, "MODEL_RUNNER_HOST names a runner, which is not started and stopped from here",
                advice: "Unset it to start and stop your own.")
        }
        socket = paths.modelRunnerSocket
    }

    /// Asks the daemon to end and waits until it has.
    ///
    /// - Returns: the process that was ended; nil when none ran.
    /// - Throws: `.forbidden` when it is not this user's; `.conflict` when it runs elsewhere or does not say who it is;
    ///   `.timedOut` when it does not end.
    func stop() async throws -> Int32? {
        let lock = RunnerServer.lockPath(of: socket)
        guard Files.exists(lock) else { return nil }
        let end = ContinuousClock.now + Self.limit
        // A daemon that has only just taken the lock has not signed it yet.
        var process = try holder(lock)
        while process == nil, ContinuousClock.now < end - Self.limit + .seconds(2) {
            if try FileLock.acquire(lock, wait: false) != nil { return nil }
            try await Task.sleep(for: .milliseconds(20))
            process = try holder(lock)
        }
        guard let process else {
            throw Failure(
                .conflict, "something holds \(lock) that is no model runner of this machine",
                advice: "End it where it runs.")
        }
        guard POSIX.send(signal: 15, to: process.number) || process.hasEnded else {
            throw Failure(.forbidden, "the model runner, process \(process.number), may not be ended by this user")
        }
        while !process.hasEnded {
            guard ContinuousClock.now < end else {
                throw Failure(
                    .timedOut, "the model runner, process \(process.number), has not ended yet",
                    advice: "`kill -9 \(process.number)` ends it and its engines at once.")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        return process.number
    }

    /// The living process that has signed the lock. A number alone could be anybody's by now; with its start it cannot.
    private func holder(_ lock: FilePath) throws -> ProcessIdentity? {
        // Only a lock that is held says who holds it, and only a file of ours is signed by us.
        guard try POSIX.status(lock).userID == POSIX.userID, try FileLock.acquire(lock, wait: false) == nil else {
            return nil
        }
        let text = String(buffer: try Files.read(lock, limit: 4096)).split(separator: "\n").first ?? ""
        return ProcessIdentity(text).flatMap { $0.isRunning ? $0 : nil }
    }
}
