import AsyncHTTPClient
import Core
import Logging
import MCP
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Subprocess
import SystemPackage
import Testing

@testable import MCPHTTP

/// A server that never answers one thing.
private struct Hanging: Peer.Handler {
    let asked: Promise<Void>

    func admit(_ request: RPC.Request, from peer: Peer) throws(RPC.Error) -> Peer.Admission {
        request.method == "initialize" ? try TestServer().admit(request, from: peer) : .respond
    }

    func respond(to request: RPC.Request, from peer: Peer) async throws -> RawJSON {
        asked.fulfil(.success(()))
        await untilCancelled()
        throw CancellationError()
    }

    func receive(_ notification: RPC.Notification, from peer: Peer) async {}
}

/// Ends, limits, and clients that mean no good. One after the other: a debug build is busy with a large answer for so long
/// that sessions beside it count as those nobody has used for the longest time.
@Suite(.serialized, .timeLimit(.minutes(2))) struct EnduranceTests {
    @Test func whatIsUnderWayIsFinishedWhenTheServerEnds() async throws {
        let server = SlowServer()
        try await Bench.run(serve: { try await Peer.serve(over: $0, handler: server) }) { (bench) async throws in
            let session = try await bench.session()
            async let slow = bench.call("slow", id: 1, session: session)
            try await server.started.value
            bench.stop.fulfil(.success(()))
            while try await bench.send(bench.request(.GET, "/ready")).status == 200 { await Task.yield() }
            let late = try await bench.call("quick", id: 2, session: session)
            #expect(late.status == 503 && late.headers.first(name: "retry-after") == "1")
            #expect(try late.json["id"]?.int == 2)
            #expect(try await bench.post(Bench.initialize).status == 503)
            #expect(try await bench.send(bench.request(.GET, "/health")).status == 200)
            let note = #"{"jsonrpc":"2.0","method":"notifications/x"}"#
            #expect(try await bench.post(note, session: session).status == 202, "answers are still taken")
            server.release.fulfil(.success(()))
            #expect(try await slow.status == 200)
        }
    }

    @Test func whatTakesTooLongIsNotWaitedFor() async throws {
        let server = SlowServer()
        var limits = StreamableServer.Limits()
        limits.drain = .milliseconds(50)
        try await Bench.run(limits: limits, serve: { try await Peer.serve(over: $0, handler: server) }) {
            (bench) async throws in
            let session = try await bench.session()
            async let slow = bench.call("slow", id: 1, session: session)
            try await server.started.value
            bench.stop.fulfil(.success(()))
            let answer = try? await slow
            #expect(answer?.status != 200)
            #expect(server.finished.current == nil)
        }
    }

    @Test func whoWaitsOnAStreamHearsWhyThereIsNoAnswer() async throws {
        let failure = Failure(.unavailable, "the server has ended")
        try await Bench.run(serve: { session in
            // The second request is the one that is never answered.
            try await withThrowingTaskGroup(of: Void.self) { group in
                let asked = Promise<Void>()
                group.addTask { try await Peer.serve(over: session, handler: Hanging(asked: asked)) }
                try await asked.value
                try await Task.sleep(for: .milliseconds(200))
                throw failure
            }
        }) { (bench) async throws in
            let session = try await bench.session("2025-11-25")
            let answer = try await bench.call("hang", id: 8, session: session)
            #expect(answer.status == 200)
            #expect(try answer.json["id"]?.int == 8)
            #expect(try answer.json["error"]?["message"]?.string?.contains("the server has ended") == true)
        }
    }

    @Test(arguments: [
        (0, RequestPace.Phase.head(limit: .seconds(10)), 10), (0, .head(limit: .seconds(75)), 75),
        (0, .body(received: 0), 30), (64 << 10, .body(received: 64 << 10), 31),
        (64 << 20, .body(received: 64 << 20), 1054),
    ])
    func aRequestMustKeepAPace(bytes: Int, phase: RequestPace.Phase, seconds: Int) throws {
        let start = ContinuousClock.now
        var pace = RequestPace(StreamableServer.Limits(), now: start)
        if phase != pace.phase {
            pace.head(now: start)
            pace.body(bytes)
            if case .head = phase {
                pace.end()
                #expect(pace.deadline == nil, "how long an answer takes is the server's business")
                pace.answered(now: start)
            }
        }
        #expect(pace.phase == phase)
        #expect(pace.deadline == start + .seconds(seconds))
    }

    @Test(arguments: [
        "", "POST /mcp HTTP/1.1\r\nhost: localho",
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer s3cret-token\r\n"
            + "content-type: application/json\r\ncontent-length: 100\r\n\r\n{",
    ])
    func whoTakesForEverIsHungUpOn(text: String) async throws {
        var limits = StreamableServer.Limits()
        limits.head = .milliseconds(50)
        limits.bodyTime = .milliseconds(50)
        try await Bench.run(limits: limits) { (bench) async throws in
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: bench.port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                    }
                }
            do {
                try await channel.executeThenClose { inbound, outbound in
                    if !text.isEmpty { try await outbound.write(ByteBuffer(string: text)) }
                    for try await _ in inbound {}
                }
            } catch let error as IOError where error.errnoCode == Errno.connectionReset.rawValue {
                // How a connection ends whose bytes came too late to be read.
            }
            #expect(try await bench.post(Bench.initialize).status == 200)
        }
    }

    /// Asks for a large answer and reads none of it.
    @Test func whoReadsNothingIsHungUpOn() async throws {
        var limits = StreamableServer.Limits()
        limits.stall = .milliseconds(50)
        try await Bench.run(limits: limits) { (bench) async throws in
            let session = try await bench.session()
            let body = Bench.call("echo", 1, #"{"x":"\#(String(repeating: "x", count: 4 << 20))"}"#)
            let head = """
                POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer \(Bench.token)\r\nmcp-session-id: \(session)\r
                content-type: application/json\r\ncontent-length: \(body.utf8.count)\r\n\r\n
                """
            let closed = Promise<Void>()
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelOption(.autoRead, value: false).channelOption(.socketOption(.so_rcvbuf), value: 4096)
                .connect(host: "127.0.0.1", port: bench.port).get()
            channel.closeFuture.whenComplete { _ in closed.fulfil(.success(())) }
            try await channel.writeAndFlush(ByteBuffer(string: head + body))
            while await bench.served.ongoing > 0, closed.current == nil {
                // Its end is seen by writing: nothing is read.
                try? await channel.writeAndFlush(ByteBuffer(string: " ")).get()
                try await Task.sleep(for: .milliseconds(10))
            }
            try? await channel.close()
            #expect(try await bench.call("echo", session: session).status == 200)
        }
    }

    @Test func manySessionsComeCallAndVanish() async throws {
        var limits = StreamableServer.Limits()
        limits.sessions = 64
        // On a busy machine an answer may take longer than becomes a plain one.
        limits.quick = .seconds(60)
        try await Bench.run(limits: limits) { [limits] (bench) async throws in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<250 {
                    if number >= 16 { try await group.next() }
                    group.addTask {
                        let session = try await bench.session("2025-11-25")
                        let answer = try await bench.call("echo", #"{"n":\#(number)}"#, session: session)
                        #expect(try answer.json["result"]?["n"]?.int == number)
                    }
                }
                try await group.waitForAll()
            }
            #expect(await bench.served.total == 250)
            #expect(await bench.served.ongoing <= 2 * limits.sessions)
            let last = try await bench.session()
            #expect(try await bench.call("echo", session: last).status == 200)
        }
    }

    /// With a certificate for `localhost` that openssl makes.
    @Test func connectionsMayBeEncrypted() async throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "tls-")
        defer { try? Files.remove(folder) }
        let (chain, key) = (folder.appending("chain.pem"), folder.appending("key.pem"))
        let made = try await Subprocess.run(
            .name("openssl"),
            arguments: [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key.string, "-out",
                chain.string,
            ], input: .none, output: .discarded, error: .discarded)
        #expect(made.terminationStatus.isSuccess)
        let certificate = Current(try ServerCertificate(chain: chain, key: key))
        try await Bench.run(certificate: certificate) { (bench) async throws in
            var configuration = HTTPClient.Configuration()
            configuration.tlsConfiguration = .clientDefault
            configuration.tlsConfiguration?.trustRoots = .file(chain.string)
            let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
            var request = bench.request(.POST, "/mcp", Bench.initialize)
            request.url = "https://localhost:\(bench.port)/mcp"
            let status = try? await client.execute(request, timeout: .seconds(30)).status
            try await client.shutdown()
            #expect(status == .ok)
            await #expect(throws: (any Error).self) { try await bench.post(Bench.initialize) }
        }
        let whole = try Files.read(chain)
        for file in [key, chain] {
            try Files.write(ByteBuffer(string: "no PEM"), to: file)
            let failure = #expect(throws: Failure.self) { try ServerCertificate(chain: chain, key: key) }
            #expect(failure?.code == .invalidArgument && failure?.message.contains(file.string) == true)
        }
        try Files.write(whole, to: chain)
        #expect(throws: Failure.self) { try ServerCertificate(chain: chain, key: folder.appending("none.pem")) }
    }
}
