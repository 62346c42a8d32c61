import Core
import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import OCI

@Suite struct RetryTests {
    @Test(
        arguments: [
            (0, 503, nil, 1), (1, 502, nil, 2), (2, 504, nil, 4), (3, 503, nil, 8), (4, 503, nil, nil),
            (0, 500, nil, nil), (0, 404, nil, nil), (0, 401, nil, nil), (0, 200, nil, nil), (0, 501, nil, nil),
            (0, 429, nil, nil), (0, 429, "7", 7), (0, 503, "0", 0), (0, 503, "60", 60), (0, 503, "61", nil),
            (0, 429, "99999999999999999999", nil), (0, 429, "-1", nil), (0, 503, "-1", 1), (0, 503, "soon", 1),
            (4, 429, "1", nil), (0, 502, "7", 1), (0, 404, "1", nil),
            (0, 503, "Sun, 06 Nov 1994 08:49:37 GMT", 37), (0, 503, "Sun, 06 Nov 1994 08:48:00 GMT", 0),
            (0, 503, "Sun, 06 Nov 1994 09:49:37 GMT", nil), (0, 503, "Sunday, 06-Nov-94 08:49:37 GMT", 1),
        ] as [(Int, Int, String?, Int?)])
    func afterAnAnswer(attempt: Int, status: Int, retryAfter: String?, seconds: Int?) throws {
        let now = try #require(Timestamp(rfc3339: "1994-11-06T08:49:00Z"))
        let delay = RetryPolicy().delay(after: attempt, status: status, retryAfter: retryAfter, now: now)
        #expect(delay == seconds.map { .seconds($0) })
    }

    private func resolve(_ server: ScriptedServer, _ registry: Registry) async throws -> Manifest {
        try await registry.resolve(Reference(parsing: "\(server.address)/ai/x"))
    }

    /// Answers so many requests in one way and the others with the manifest.
    private func first(_ count: Int, _ answer: ScriptedServer.Answer) -> ScriptedServer.Script {
        let left = Mutex(count)
        return { _ in
            let isFirst = left.withLock { left in
                left -= 1
                return left >= 0
            }
            return isFirst ? answer : .http(200, [("Content-Type", MediaType.manifest)], Sample.text)
        }
    }

    @Test(
        arguments: [
            (.http(503), 4, [1, 2, 4, 8]), (.http(502), 1, [1]), (.http(504), 2, [1, 2]),
            (.http(429, [("Retry-After", "3")]), 2, [3, 3]), (.http(503, [("Retry-After", "5")]), 1, [5]),
            // Closed connections are tried again at once, each time, before there is any waiting.
            (.close, 4, [1, 2]), (.close, 1, []),
        ] as [(ScriptedServer.Answer, Int, [Int])])
    func whatPassesIsWaitedFor(answer: ScriptedServer.Answer, times: Int, pauses: [Int]) async throws {
        try await withScript(first(times, answer)) { server, registry, taken in
            try await expectSample(registry, Reference(parsing: "\(server.address)/ai/x"))
            #expect(taken.taken == pauses.map { .seconds($0) })
        }
    }

    @Test(
        arguments: [
            (.http(503), .unavailable, 5, "has a problem of its own (503)"),
            (.http(500), .unavailable, 1, "(500)"), (.http(403), .forbidden, 1, "denied"),
            (.http(429), .resourceExhausted, 1, "refuses more requests"),
            (
                .http(429, [("Retry-After", "3600")]), .resourceExhausted, 1,
                "refuses more requests for now. It asks to be left alone for 3600 s"
            ),
            (.http(503, [("Retry-After", "1")]), .unavailable, 5, "left alone for 1 s"),
            (.close, .unavailable, 10, "the connection was closed"),
            (.raw("SSH-2.0-x\r\n"), .unavailable, 1, "its answer is not HTTP. Is this address a registry?"),
            (
                .raw("HTTP/1.1 200 OK\r\nX: \(String(repeating: "a", count: 200_000))\r\n\r\n"), .unavailable, 1,
                "its answer has headers that are too large"
            ),
        ] as [(ScriptedServer.Answer, Failure.Code, Int, String)])
    func whatStaysIsReported(
        answer: ScriptedServer.Answer, code: Failure.Code, requests: Int, says: String
    ) async throws {
        try await withScript({ _ in answer }) { server, registry, _ in
            let failure = await #expect(throws: Failure.self) { try await resolve(server, registry) }
            #expect(failure?.code == code)
            #expect(failure?.description.contains(says) == true, "\(String(describing: failure))")
            #expect(server.requests.count == requests)
        }
    }

    /// A registry that is being started again is waited for, an address where nobody ever was is not.
    @Test func absenceIsAnAnswerUntilSomebodyWasThere() async throws {
        let pauses = Pauses()
        let port = Mutex(0)
        try await withScript { _, registry, _ in
            var registry = registry
            registry = Registry(
                connections: registry.connections, environment: registry.environment, userAgent: "t",
                smallAnswerLimit: .seconds(60), pause: pauses.take)
            try await ScriptedServer.run(first(0, .close)) { server in
                port.withLock { $0 = server.port }
                try await expectSample(registry, Reference(parsing: "\(server.address)/ai/x"))
            }
            let reference = try Reference(parsing: "127.0.0.1:\(port.withLock { $0 })/ai/x")
            let failure = await #expect(throws: Failure.self) { try await registry.resolve(reference) }
            #expect(failure?.code == .unavailable)
            #expect(pauses.taken == [1, 2, 4, 8].map { .seconds($0) })
        }
    }

    @Test func writesThatMayBeRepeatedAre() async throws {
        try await withScript({ _ in .http(503) }) { server, registry, pauses in
            let reference = try Reference(parsing: "\(server.address)/ai/x")
            let failure = await #expect(throws: Failure.self) {
                try await registry.pushManifest(Sample.manifest, to: reference)
            }
            #expect(failure?.code == .unavailable)
            // The same manifest twice is the manifest once.
            #expect(server.lines == Array(repeating: "PUT /v2/ai/x/manifests/latest", count: 5))
            #expect(pauses.taken.count == 4)
        }
    }

    @Test(
        arguments: [
            (#"{"schemaVersion":2,"config":{},"layers":[{}"#, ",{}", 1_000_000, "]}", "4096 layers"),
            (#"{"schemaVersion":2,"config":{},"layers":[{}"#, ",{}", 5000, "]}", "4096 layers"),
            ("text", "", 0, "", "answered text/plain instead of a manifest"),
            ("{", "", 0, "", "answered text/plain instead of a manifest"),
            ("", " ", 5 << 20, "", "sent more than 4.19MB"),
        ] as [(String, String, Int, String, String)])
    func manifestsThatAreNone(
        start: String, repeated: String, times: Int, end: String, says: String
    ) async throws {
        let text = start + String(repeating: repeated, count: times) + end
        try await withScript({ _ in .http(200, [("Content-Type", "text/plain")], text) }) { server, registry, _ in
            let failure = await #expect(throws: Failure.self) { try await resolve(server, registry) }
            #expect(failure?.code == .corrupted)
            #expect(failure?.description.contains(says) == true, "\(String(describing: failure))")
        }
    }
}
