internal import Core
internal import NIOCore
internal import SystemPackage
internal import TestSupport
internal import Testing

@testable internal import DockerEngine

@Suite struct AttachTests {
    private static let upgraded = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"

    @Test(arguments: [upgraded, "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"])
    func keepsWhatComesTogetherWithTheHead(head: String) async throws {
        let answer: FakeDockerEngine.Answer = { _, connection in
            var bytes = ByteBuffer(string: head)
            bytes.writeImmutableBuffer(frame(.stderr, "early"))
            bytes.writeImmutableBuffer(frame(.stdout, "words"))
            try await connection.write(bytes)
        }
        try await withEngine(answer) { engine, fake in
            let frames = try await engine.withAttached("abc") { attachment in
                try await attachment.output.reduce(into: [StdFrame]()) { $0.append($1) }
            }
            #expect(frames.map { "\($0.stream) \(String(buffer: $0.bytes))" } == ["stderr early", "stdout words"])
            let request = try #require(fake.requests.first)
            #expect(request.target == "/v1.41/containers/abc/attach?stream=1&stdin=1&stdout=1&stderr=1")
            #expect(request.headers["host"] == "docker")
            #expect(request.headers["upgrade"] == "tcp")
            #expect(request.headers["connection"] == "Upgrade")
        }
    }

    /// The container says everything again and ends when its stdin does: nothing is lost either way.
    @Test(arguments: [1, 1000, 3 << 20])
    func carriesBothDirectionsAndTheHalfClose(size: Int) async throws {
        let answer: FakeDockerEngine.Answer = { _, connection in
            try await connection.write(Self.upgraded)
            while let bytes = try await connection.read() {
                try await connection.write(frame(.stdout, String(buffer: bytes)))
            }
            try await connection.write(frame(.stderr, "bye"))
        }
        let sent = ByteBuffer(bytes: (0..<size).map { UInt8(ascii: "a") + UInt8($0 % 26) })
        try await withEngine(answer) { engine, _ in
            let (out, err) = try await engine.withAttached("abc") { attachment in
                async let writing: Void = {
                    try await attachment.write(sent)
                    attachment.closeInput()
                }()
                var (out, err) = (ByteBuffer(), ByteBuffer())
                for try await frame in attachment.output {
                    if frame.stream == .stdout {
                        out.writeImmutableBuffer(frame.bytes)
                    } else {
                        err.writeImmutableBuffer(frame.bytes)
                    }
                }
                try await writing
                return (out, err)
            }
            #expect(out == sent)
            #expect(String(buffer: err) == "bye")
        }
    }

    @Test(arguments: [
        (404, #"{"message":"No such container: abc"}"#, Failure.Code.notFound, "Docker: No such container: abc"),
        (409, #"{"message":"container is paused"}"#, .conflict, "Docker: container is paused"),
        (500, "", .internalError, "500"),
    ])
    func saysWhyItWasRefused(status: Int, body: String, code: Failure.Code, text: String) async throws {
        let answer: FakeDockerEngine.Answer = { _, connection in
            try await connection.write("HTTP/1.1 \(status) X\r\nContent-Length: \(body.utf8.count)\r\n\r\n")
            try await connection.write(body)
            // Kept open, as a server may: the length says when the reason is complete.
            _ = try await connection.read()
        }
        try await withEngine(answer) { engine, _ in
            let failure = await #expect(throws: Failure.self) { try await engine.withAttached("abc") { _ in } }
            #expect(failure?.code == code)
            #expect(failure?.message.contains(text) == true, "\(failure?.message ?? "")")
        }
    }

    @Test(arguments: [("", Failure.Code.unavailable), ("HTTP/1.1 101", .unavailable), ("garbage\r\n\r\n", .corrupted)])
    func survivesAnEngineThatIsNone(text: String, code: Failure.Code) async throws {
        try await withEngine({ _, connection in if !text.isEmpty { try await connection.write(text) } }) { engine, _ in
            let failure = await #expect(throws: Failure.self) { try await engine.withAttached("abc") { _ in } }
            #expect(failure?.code == code)
        }
    }

    @Test func reportsFramesThatAreNone() async throws {
        try await withEngine({ _, connection in try await connection.write(Self.upgraded + "plain text") }) {
            engine, _ in
            let failure = await #expect(throws: Failure.self) {
                try await engine.withAttached("abc") { attachment in for try await _ in attachment.output {} }
            }
            #expect(failure?.code == .corrupted)
        }
    }

    @Test func saysWhenNoEngineAnswers() async throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "wharf-no-")
        defer { try? Files.remove(folder) }
        let failure = try await withClient { client in
            let engine = Engine(client: client, endpoint: .unix(folder.appending("d.sock")))
            return await #expect(throws: Failure.self) { try await engine.withAttached("abc") { _ in } }
        }
        #expect(failure?.code == .unavailable)
    }

    /// An engine that accepts and then says nothing must not hold up a cancelled caller.
    @Test func isCancelledWhileItWaits() async throws {
        let (asked, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let answer: FakeDockerEngine.Answer = { _, connection in
            signal.yield()
            _ = try await connection.read()
        }
        try await withEngine(answer) { engine, _ in
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    await #expect(throws: CancellationError.self) { try await engine.withAttached("abc") { _ in } }
                }
                for await _ in asked { break }
                group.cancelAll()
            }
        }
    }
}

/// Bytes as docker multiplexes them.
private func frame(_ stream: StdFrame.Stream, _ text: String) -> ByteBuffer {
    var buffer = ByteBuffer(bytes: [stream.rawValue, 0, 0, 0])
    buffer.writeInteger(UInt32(text.utf8.count))
    buffer.writeString(text)
    return buffer
}
