import AsyncHTTPClient
import Core
import NIOCore
import NIOHTTP1
import Testing

@testable import RunnerAPI

@Suite(.timeLimit(.minutes(2))) struct GuardTests {
    @Test(
        arguments: [
            ("localhost", "localhost"), ("LocalHost:80", "localhost"), ("[::1]:12434", "::1"), ("[::1]", "::1"),
            ("127.0.0.1:1", "127.0.0.1"), ("a:b", nil), ("a:0", nil), ("a:70000", nil), ("a:", nil), ("", nil),
            (":80", nil),
            ("[::1", nil), ("[::1]x", nil), ("localhost.evil.com", "localhost.evil.com"),
        ] as [(String, String?)])
    func hosts(authority: String, host: String?) { #expect(Authority.host(of: authority) == host) }

    @Test(arguments: [
        ("http://localhost", true), ("http://localhost:3000", true), ("https://127.0.0.1:8443", true),
        ("http://[::1]:1", true),
        ("http://0.0.0.0:1", true), ("https://good.example", true), ("http://good.example", false),
        ("http://evil.example", false),
        ("http://localhost.evil.example", false), ("http://localhost@evil.example", false),
        ("http://127.0.0.1.evil.example", false),
        ("null", false), ("", false), ("file://localhost", false), ("http://model-runner.docker.internal", false),
        ("http://localhost/path", false),
    ])
    func origins(origin: String, allowed: Bool) {
        let subject = OriginGuard(bridges: [], allowedOrigins: ["https://good.example"])
        #expect(subject.isAllowed(origin: origin) == allowed)
    }

    @Test func liveOverTCP() async throws {
        try await Bench.run { bench in
            func answer(_ method: HTTPMethod = .GET, host: String? = nil, origin: String? = nil) async throws
                -> Bench.Answer
            {
                var request = bench.request(method, "/models", tcp: true)
                if let host { request.headers.replaceOrAdd(name: "host", value: host) }
                if let origin { request.headers.add(name: "origin", value: origin) }
                return try await bench.send(request)
            }
            #expect(try await answer().status == 200)
            for host in ["localhost:1", "[::1]:1", "model-runner.docker.internal", "host.docker.internal:12434"] {
                #expect(try await answer(host: host).status == 200, "\(host)")
            }
            for host in ["evil.example", "evil.example:12434", "127.0.0.1.nip.io"] {
                #expect(try await answer(host: host).status == 403, "\(host)")
            }
            let refused = try await answer(origin: "http://evil.example")
            #expect(refused.status == 403 && refused.text.hasPrefix("Origin not allowed. Allow it with "))
            #expect(try await answer(.OPTIONS, origin: "http://evil.example").status == 403)
            for (path, type) in [("/v1/models", "permission_error"), ("/anthropic/v1/models", "permission_error")] {
                var request = bench.request(.GET, path, tcp: true)
                request.headers.replaceOrAdd(name: "host", value: "evil.example")
                let answer = try await bench.send(request)
                #expect(try answer.status == 403 && answer.json["error"]?["type"]?.string == type, "\(answer.text)")
            }
            let allowed = try await answer(origin: "http://localhost:3000")
            #expect(
                allowed.status == 200 && allowed.headers["access-control-allow-origin"] == ["http://localhost:3000"])
            let options = try await answer(.OPTIONS, origin: "http://localhost:3000")
            #expect(options.status == 204)
            #expect(options.headers["access-control-allow-methods"] == ["GET, POST, DELETE"])
            #expect(options.headers["access-control-allow-headers"] == ["*"])
            #expect(options.headers["access-control-allow-credentials"] == ["true"])
        }
    }
}
