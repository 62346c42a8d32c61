internal import AsyncHTTPClient
internal import CPlatform
internal import Commands
internal import Core
internal import NIOCore
internal import RunnerAPI
internal import SystemPackage

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Starts the runner daemon in the background when the first command needs it.
struct DaemonStart: Sendable {
    let context: CommandContext
    let http: HTTPClient

    static let limit = Duration.seconds(30)

    /// Starts the daemon unless another command is just doing that, and waits until it answers.
    ///
    /// - Throws: `.unavailable` naming the log and its last line when the daemon does not come up.
    func start() async throws -> RunnerEndpoint {
        let paths = context.paths
        try Files.makeDirectory(paths.modelRunner, mode: 0o700)
        let endpoint = RunnerEndpoint.socket(paths)
        // Whoever holds this is starting the daemon; the others wait for the same one.
        let lockPath = paths.modelRunner.appending("start.lock")
        let end = ContinuousClock.now + Self.limit
        guard let lock = try FileLock.acquire(lockPath, wait: false) else {
            try await waitUntilAnswers(endpoint, until: end, process: nil)
            return endpoint
        }
        try await waitForPredecessor(of: endpoint, until: end)
        if await !endpoint.answers(http) {
            let logStart = (try? POSIX.status(paths.modelRunnerLog).size) ?? 0
            let process = try spawn()
            try await waitUntilAnswers(endpoint, until: end, process: process, logStart: logStart)
        }
        _ = consume lock
        return endpoint
    }

    /// A daemon that was told to stop accepts nothing any more, but has the socket until its last answers are out.
    private func waitForPredecessor(of endpoint: RunnerEndpoint, until end: ContinuousClock.Instant) async throws {
        let socket = context.paths.modelRunnerSocket
        let lockPath = RunnerServer.lockPath(of: socket)
        while await !endpoint.answers(http), Files.exists(lockPath),
            try FileLock.acquire(lockPath, wait: false) == nil
        {
            guard ContinuousClock.now < end else {
                throw Failure(
                    .unavailable, "a model runner holds \(socket) but does not answer",
                    advice: "Its log is \(context.paths.modelRunnerLog); end it and try again.")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    private func waitUntilAnswers(
        _ endpoint: RunnerEndpoint, until end: ContinuousClock.Instant, process: pid_t?, logStart: Int64 = 0
    ) async throws {
        var pause = Duration.milliseconds(2)
        while await !endpoint.answers(http) {
            var status: Int32 = 0
            let ended = process.map { waitpid($0, &status, WNOHANG) == $0 } ?? false
            guard !ended, ContinuousClock.now < end else {
                let log = context.paths.modelRunnerLog
                let words = DaemonLog.lastLine(of: log, after: logStart).map { ": \($0.trimmedEnd)" } ?? ""
                throw Failure(
                    .unavailable, "the model runner \(ended ? "ended while starting" : "does not answer")\(words)",
                    advice: "Its log is \(log); `wharf serve` runs it in the foreground.")
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(50))
        }
    }

    /// `wharf serve` in a session of its own, its output in the log.
    private func spawn() throws -> pid_t {
        var actions = makeFileActions()
        try check(posix_spawn_file_actions_init(&actions), "prepare the daemon's files")
        defer { posix_spawn_file_actions_destroy(&actions) }
        let log = context.paths.modelRunnerLog.string
        try check(posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0), "open /dev/null")
        try check(
            posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o600), "open \(log)")
        try check(posix_spawn_file_actions_adddup2(&actions, 1, 2), "open \(log)")
        // What the calling script has open (a lock, a pipe) would stay open for as long as the daemon lives.
        try check(wharf_spawn_add_close_others(&actions), "prepare the daemon's files")
        var attributes = makeAttributes()
        try check(posix_spawnattr_init(&attributes), "prepare the daemon's session")
        defer { posix_spawnattr_destroy(&attributes) }
        // A session of its own: a Ctrl-C in the terminal that started it is not meant for it.
        try check(posix_spawnattr_setflags(&attributes, wharf_spawn_daemon_flags()), "prepare the daemon's session")
        let arguments = [context.program.string, "serve", "--stop-when-idle"]
        let variables = context.paths.environment.map { "\($0.key)=\($0.value)" }
        var pid: pid_t = 0
        let result = withCStrings(arguments) { argv in
            withCStrings(variables) { envp in
                posix_spawn(&pid, context.program.string, &actions, &attributes, argv, envp)
            }
        }
        try check(result, "start the model runner")
        return pid
    }

    private func check(_ result: Int32, _ what: String) throws {
        if result != 0 { throw Failure(.internalError, "cannot \(what)", cause: Errno(rawValue: result)) }
    }

    private func withCStrings<R>(
        _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> R
    ) -> R {
        var pointers = strings.map { strdup($0) } + [nil]
        defer { pointers.forEach { free($0) } }
        return pointers.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.map(body) ?? body(UnsafeMutablePointer.allocate(capacity: 1))
        }
    }
}

#if canImport(Darwin)
    private func makeFileActions() -> posix_spawn_file_actions_t? { nil }
    private func makeAttributes() -> posix_spawnattr_t? { nil }
#else
    private func makeFileActions() -> posix_spawn_file_actions_t { posix_spawn_file_actions_t() }
    private func makeAttributes() -> posix_spawnattr_t { posix_spawnattr_t() }
#endif
