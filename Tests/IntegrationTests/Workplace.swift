import AsyncHTTPClient
import Core
import DockerEngine
import NIOCore
import NIOPosix
import Subprocess
import SystemPackage
import Testing

/// Where real parts are to be had; `make test` sets it up and names it in the environment.
enum RealParts {
    static var isThere: Bool { POSIX.environment["WHARF_TEST_ENV"] != nil || POSIX.environment["CI"] == "true" }

    static func path(_ variable: String) throws -> String {
        try #require(POSIX.environment[variable], "\(variable) is not set; run the tests with `make test`")
    }

    static var repository: FilePath {
        FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
    }

    static var pebble: FilePath { repository.appending("Models/pebble/pebble-1m-q8_0.gguf") }
}

/// A home of its own for one test: its store, its daemon, its port. Everything it started is stopped at the end.
struct Workplace: Sendable {
    let folder: FilePath
    let environment: [String: String]
    let port: Int

    struct Outcome: Sendable {
        let out: String
        let err: String
        /// The exit code; 128 and more for a signal.
        let status: Int

        var lines: [Substring] { out.split(separator: "\n") }
        /// What went wrong, for a test's comment.
        var text: String { "exit \(status)\n\(out)\n\(err)" }
    }

    static func with<R: Sendable>(_ body: (Workplace) async throws -> R) async throws -> R {
        let folder = try Files.makeTemporaryDirectory(prefix: "wharf-it-")
        let port = try await freePort()
        var environment = POSIX.environment.filter { ["PATH", "DOCKER_HOST", "TMPDIR", "LANG"].contains($0.key) }
        environment["HOME"] = folder.string
        environment["MODEL_RUNNER_PORT"] = String(port)
        // Nothing of a test's is reached from beyond loopback.
        environment["MODEL_RUNNER_CONTAINERS"] = "0"
        environment["LLAMA_SERVER_PATH"] = try RealParts.path("WHARF_ENGINE")
        // Two cores shared with the rest of the suite: spinning threads would take them from each other.
        environment["WHARF_PASSIVE_OPENMP"] = "1"
        let place = Workplace(folder: folder, environment: environment, port: port)
        let result: Result<R, any Error>
        do { result = .success(try await body(place)) } catch { result = .failure(error) }
        await place.stopDaemon()
        try Files.remove(folder)
        return try result.get()
    }

    static func freePort() async throws -> Int {
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.1", port: 0).get()
        defer { channel.close(promise: nil) }
        return try #require(channel.localAddress?.port)
    }

    var models: FilePath { folder.appending(".docker/models") }
    var socket: FilePath { folder.appending(".docker/model-runner/model-runner.sock") }
    var base: String { "http://127.0.0.1:\(port)" }

    /// The daemon's process, where one runs.
    var daemonPID: Int32? {
        guard let bytes = try? Files.read(FilePath(socket.string + ".pid")) else { return nil }
        return Int32(String(buffer: bytes).filter(\.isNumber))
    }

    func stopDaemon() async {
        guard let pid = daemonPID else { return }
        POSIX.send(signal: 15, to: pid)
        for _ in 0..<200 where POSIX.send(signal: 0, to: pid) { try? await Task.sleep(for: .milliseconds(50)) }
        POSIX.send(signal: 9, to: pid)
    }

    /// `docker model …`
    func model(_ arguments: String..., with extra: [String: String] = [:], input: String = "") async throws -> Outcome {
        try await run(RealParts.path("WHARF_BIN"), ["model"] + arguments, extra, input: input)
    }

    func wharf(_ arguments: String..., with extra: [String: String] = [:]) async throws -> Outcome {
        try await run(RealParts.path("WHARF_BIN"), arguments, extra)
    }

    func run(
        _ program: String, _ arguments: [String], _ extra: [String: String] = [:], input: String = ""
    ) async throws -> Outcome {
        let result = try await Subprocess.run(
            .path(.init(program)), arguments: Arguments(arguments), environment: variables(extra),
            input: .string(input), output: .string(limit: 32 << 20), error: .string(limit: 32 << 20))
        let status =
            switch result.terminationStatus {
            case .exited(let code): Int(code)
            case .signaled(let signal): 128 + Int(signal)
            }
        return Outcome(out: result.standardOutput, err: result.standardError, status: status)
    }

    /// A certificate for `localhost` that nobody knows, and its key, made anew each time.
    func certificate() async throws -> (chain: FilePath, key: FilePath) {
        let (chain, key) = (folder.appending("chain.pem"), folder.appending("key.pem"))
        let made = try await run(
            "/bin/sh",
            [
                "-c",
                #"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "#
                    + #"-subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout "$2" -out "$1""#,
                "sh", chain.string, key.string,
            ])
        try #require(made.status == 0, "\(made.text)")
        return (chain, key)
    }

    func variables(_ extra: [String: String] = [:]) -> Environment {
        var variables: [Environment.Key: String] = [:]
        for (name, value) in environment.merging(extra, uniquingKeysWith: { $1 }) {
            variables[Environment.Key(stringLiteral: name)] = value
        }
        return .custom(variables)
    }
}

/// Waits until something is so; for things that another process does.
func eventually(
    within limit: Duration = .seconds(30), _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while ContinuousClock.now < end {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(20))
    }
    Issue.record(what, sourceLocation: sourceLocation)
}

/// Runs `body` with the engine that the tests use.
func withEngine<R: Sendable>(_ body: @escaping @Sendable (Engine) async throws -> R) async throws -> R {
    let client = HTTPClient(eventLoopGroupProvider: .singleton)
    let result: Result<R, any Error>
    do {
        let engine = try await Engine.connect(client: client, endpoint: .resolve(paths: Paths()))
        result = .success(try await body(engine))
    } catch { result = .failure(error) }
    try await client.shutdown()
    return try result.get()
}
