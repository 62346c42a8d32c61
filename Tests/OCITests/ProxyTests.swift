import Core
import NIOCore
import TestSupport
import Testing

@testable import OCI

@Suite struct ProxyTests {
    private static let usual = ["HTTP_PROXY": "http://plain.example:3128", "HTTPS_PROXY": "secure.example:3129"]

    @Test(
        arguments: [
            ("https://r.example/", "", "secure.example:3129"), ("http://r.example/", "", "plain.example:3128"),
            ("http://localhost:5000/", "", nil), ("http://127.0.0.1:5000/", "", nil), ("http://[::1]/", "", nil),
            ("http://127.8.8.8/", "", nil), ("https://a.localhost/", "", nil),
            ("https://10.0.0.1/", "", "secure.example:3129"),
            ("https://r.example/", "*", nil), ("https://r.example/", "R.example", nil),
            ("https://a.r.example/", "r.example", nil), ("https://a.r.example/", ".r.example", nil),
            ("https://a.r.example/", "*.r.example", nil), ("https://r.example/", ".r.example", "secure.example:3129"),
            ("https://ar.example/", "r.example", "secure.example:3129"), ("https://r.example/", "x, r.example", nil),
            ("https://r.example:8443/", "r.example:8443", nil), ("https://r.example/", "r.example:443", nil),
            ("https://r.example/", "r.example:8443", "secure.example:3129"), ("https://10.1.2.3/", "10.0.0.0/8", nil),
            ("https://11.1.2.3/", "10.0.0.0/8", "secure.example:3129"), ("https://10.1.2.3/", "10.1.2.3", nil),
            ("https://10.1.2.3:444/", "10.1.2.3:444", nil), ("https://[fd00::1]/", "fd00::/8", nil),
            ("https://[fd00::1]/", "fd00::1", nil),
            ("https://r.example/", "10.0.0.0/x, /, :, ,", "secure.example:3129"),
        ] as [(String, String, String?)])
    func isTakenForAnAddress(address: String, exceptions: String, proxy: String?) throws {
        let paths = Paths(environment: Self.usual.merging(["NO_PROXY": exceptions]) { $1 })
        let found = try ProxySettings(paths).proxy(for: #require(WebAddress(address)))
        #expect(found.map { "\($0.host):\($0.port)" } == proxy)
    }

    @Test(
        arguments: [
            ("p", "p:80:http:-:-"), ("http://p:1/", "p:1:http:-:-"), ("http://me:p%40w@p:1", "p:1:http:me:p@w"),
            ("socks5://p", "p:1080:socks:-:-"), ("socks5h://p:9", "p:9:socks:-:-"),
            ("http://[fd00::1]:1", "fd00::1:1:http:-:-"),
            ("http://me@p", "p:80:http:me:"),
        ] as [(String, String)])
    func isReadFromTheEnvironment(value: String, proxy: String) throws {
        let found = try #require(ProxySettings(Paths(environment: ["https_proxy": value])).secure)
        let kind = found.isSocks ? "socks" : "http"
        #expect("\(found.host):\(found.port):\(kind):\(found.user ?? "-"):\(found.password ?? "-")" == proxy)
    }

    @Test(arguments: ["https://p:1", "ftp://p", "http://", "http://a b", "http://p:0", "socks5://s3cret:s3cret@p"])
    func isRefusedWithoutRepeatingIt(_ value: String) {
        let failure = #expect(throws: Failure.self) { try ProxySettings(Paths(environment: ["HTTP_PROXY": value])) }
        #expect(failure?.description.hasPrefix("HTTP_PROXY ") == true)
        #expect(failure?.description.contains("s3cret") == false)
    }

    @Test func requestsGoThroughIt() async throws {
        try await ScriptedServer.run({ _ in .http(200, [], Sample.text) }) { server in
            try await ScriptedProxy.run(to: server.port) { proxy in
                let paths = Paths(environment: [
                    "HTTP_PROXY": "http://me:pw@127.0.0.1:\(proxy.port)", "INSECURE_REGISTRY": "true",
                    "NO_PROXY": "direct.example", "HOME": "/nonexistent",
                ])
                try await Registry.with(environment: paths, userAgent: "wharf-tests/1") { registry in
                    // A name that only the proxy can make something of.
                    let reference = try Reference(parsing: "registry.invalid:5000/ai/x")
                    try await expectSample(registry, reference)
                    #expect(proxy.heads.count == 1)
                    #expect(proxy.heads.first?.hasPrefix("CONNECT registry.invalid:5000 HTTP/1.1") == true)
                    #expect(proxy.heads.first?.lowercased().contains("proxy-authorization: basic bwu6chc=") == true)
                    #expect(server.requests.allSatisfy { $0.header("Proxy-Authorization") == nil })
                    // This machine is reached directly.
                    let here = try Reference(parsing: "\(server.address)/ai/x")
                    try await expectSample(registry, here)
                    #expect(proxy.heads.count == 1)
                }
            }
        }
    }

    @Test func oneThatIsNotThereIsNamed() async throws {
        let port = try await ScriptedServer.run { $0.port }
        let paths = Paths(environment: ["HTTPS_PROXY": "http://127.0.0.1:\(port)", "HOME": "/nonexistent"])
        try await Registry.with(environment: paths, userAgent: "wharf-tests/1") { registry in
            let failure = await #expect(throws: Failure.self) {
                try await registry.resolve(Reference(parsing: "registry.invalid/ai/x"))
            }
            #expect(failure?.code == .unavailable)
            let says =
                "cannot reach the registry at registry.invalid through the proxy 127.0.0.1:\(port): Connection refused"
            #expect(failure?.description.contains(says) == true, "\(String(describing: failure))")
        }
    }
}
