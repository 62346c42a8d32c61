import Core
import HTTPTypes
import Hub
import Inference
import ModelStore
import NIOCore
import NIOHTTP1
import OCI
import Synchronization
import SystemPackage
import Testing

@testable import RunnerAPI

@Suite(.timeLimit(.minutes(2))) struct ServerTests {
    private func server(_ bench: Bench, _ configuration: RunnerServer.Configuration) -> RunnerServer {
        let paths = Paths(environment: ["HOME": bench.folder.string])
        return RunnerServer(
            configuration: configuration, store: bench.store,
            registry: Registry(client: bench.client, environment: paths, userAgent: "test"),
            hub: {
                try HuggingFace(
                    connections: Connections(direct: bench.client, environment: paths), environment: paths,
                    userAgent: "test", token: $0)
            },
            backends: [LlamaServer(paths: paths)], installer: EngineInstaller(paths: paths), logger: Bench.quiet)
    }

    @Test func aSecondDaemonDoesNotStealTheSocket() async throws {
        try await Bench.run { bench in
            let failure = await #expect(throws: Failure.self) {
                try await server(bench, .init(socket: bench.socket)).run()
            }
            #expect(failure?.message == "a model runner already listens on \(bench.socket)")
            let answer = try await bench.get("/")
            #expect(answer.status == 200)
        }
    }

    @Test func aTakenPortIsOneClearLine() async throws {
        try await Bench.run { bench in
            let failure = await #expect(throws: Failure.self) { try await server(bench, .init(port: bench.port)).run() }
            #expect(failure?.message == "port \(bench.port) on 127.0.0.1 is in use")
            #expect(failure?.advice == "Choose another one with --port.")
        }
    }

    /// A start that fails must not look as if it had begun.
    @Test(arguments: ["127.0.0.1", "nowhere.invalid", "192.0.2.1"])
    func whatCannotListenSaysNothingElse(host: String) async throws {
        try await Bench.run { bench in
            let listening = Mutex<[RunnerServer.Address]>([])
            var configuration = RunnerServer.Configuration(
                socket: bench.folder.appending("second.sock"), host: host, port: bench.port)
            configuration.onListening = { address in listening.withLock { $0.append(address) } }
            let failing = server(bench, configuration)
            let failure = await #expect(throws: Failure.self) { try await failing.run() }
            #expect(failure?.message.contains(host) == true, "\(failure as Any)")
            #expect(failure?.advice?.hasPrefix("Choose another one with --") == true)
            #expect(listening.withLock { $0 } == [])
        }
    }

    @Test func theLockSaysWhoListens() async throws {
        try await Bench.run { bench in
            let text = String(buffer: try Files.read(RunnerServer.lockPath(of: bench.socket)))
            let current = try #require(ProcessIdentity.current)
            #expect(text == "\(current)\n")
        }
    }

    @Test func anIdleDaemonEndsByItself() async throws {
        try await Bench.run { bench in
            let socket = bench.folder.appending("second.sock")
            try await server(bench, .init(socket: socket, idleExit: .milliseconds(20))).run()
            #expect(!Files.exists(socket))
        }
    }

    @Test func aTooLongSocketPathIsRefused() async throws {
        try await Bench.run { bench in
            let path = bench.folder.appending(String(repeating: "x", count: 120))
            let failure = await #expect(throws: Failure.self) { try await server(bench, .init(socket: path)).run() }
            #expect(failure?.code == .invalidArgument)
        }
    }

    @Test(arguments: [("localhost", true), ("127.0.0.1", true), ("::1", true), ("0.0.0.0", false), ("127.evil", false)])
    func loopback(host: String, expected: Bool) { #expect(RunnerServer.isLoopback(host) == expected) }

    @Test func progressIsEscapedForHTML() {
        #expect(ProgressLine.escape(#"<a href='x'>"&"</a>"#) == "&lt;a href=&#39;x&#39;&gt;&#34;&amp;&#34;&lt;/a&gt;")
        let line = String(buffer: ProgressLine.error("it's \"bad\"").bytes(escaped: false))
        #expect(line == "{\"type\":\"error\",\"message\":\"it's \\\"bad\\\"\"}\n")
    }

    @Test func headersOfOneConnectionStayThere() {
        let down = RelayHeaders.down([
            "Content-Type": "a/b", "Transfer-Encoding": "chunked", "Connection": "close, X-Hop", "x-hop": "1",
            "Keep-Alive": "1",
            "Access-Control-Allow-Origin": "*", "X-Kept": "1",
        ])
        #expect(down.map(\.name.canonicalName) == ["content-type", "x-kept"])
    }

    @Test(arguments: [("a%2Fb", "a/b"), ("a%2", "a%2"), ("%zz", "%zz"), ("%41%", "A%"), ("plain", "plain")])
    func percentEscapes(text: String, expected: String) { #expect(ModelRoutes.decode(text[...]) == expected) }
}
