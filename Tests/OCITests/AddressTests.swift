import Core
import Testing

@testable import OCI

@Suite struct AddressTests {
    @Test(
        arguments: [
            ("docker.io/ai/x", [:], "https://registry-1.docker.io/v2/ai/x/tags"),
            ("ghcr.io/a/x", [:], "https://ghcr.io/v2/a/x/tags"),
            ("localhost/x", [:], "http://localhost/v2/x/tags"),
            ("localhost:5000/x", [:], "http://localhost:5000/v2/x/tags"),
            ("127.0.0.1:5000/x", [:], "http://127.0.0.1:5000/v2/x/tags"),
            ("[::1]:5000/x", [:], "http://[::1]:5000/v2/x/tags"),
            ("box.local/x", [:], "http://box.local/v2/x/tags"),
            ("10.0.0.1:5000/x", [:], "https://10.0.0.1:5000/v2/x/tags"),
            ("10.0.0.1:5000/x", ["INSECURE_REGISTRY": "true"], "http://10.0.0.1:5000/v2/x/tags"),
            ("docker.io/ai/x", ["INSECURE_REGISTRY": "true"], "https://registry-1.docker.io/v2/ai/x/tags"),
            ("docker.io/ai/x", ["DEFAULT_REGISTRY": "mirror.example:8443"], "https://mirror.example:8443/v2/ai/x/tags"),
            ("docker.io/ai/x", ["DEFAULT_REGISTRY": "localhost:5000"], "http://localhost:5000/v2/ai/x/tags"),
            ("docker.io/ai/x", ["DEFAULT_REGISTRY": "index.docker.io"], "https://registry-1.docker.io/v2/ai/x/tags"),
        ] as [(String, [String: String], String)])
    func endpoints(reference: String, environment: [String: String], address: String) throws {
        let endpoint = try Endpoint(Reference(parsing: reference), environment: Paths(environment: environment))
        #expect(endpoint.address("tags").description == address)
    }

    @Test func refusesABadDefaultRegistry() {
        #expect(throws: Failure.self) {
            try Endpoint(
                Reference(parsing: "docker.io/ai/x"), environment: Paths(environment: ["DEFAULT_REGISTRY": "http://x/"])
            )
        }
    }

    @Test(
        arguments: [
            ("http://a:1/b", "/c?d", "http://a:1/c?d"), ("http://a:1/b", "https://X.y/z#f", "https://x.y/z"),
            ("https://a/b", "https://x.y?q", "https://x.y/?q"), ("https://a/b", "//evil/x", nil),
            ("https://a/b", "ftp://x/y", nil), ("https://a/b", "https://u:p@x/y", nil),
            ("https://a/b", "https://x/\r\ny", nil),
            ("https://a/b", "", nil), ("https://a/b", "https://", nil), ("http://a:80/b", "/c", "http://a/c"),
        ] as [(String, String, String?)])
    func locations(base: String, location: String, result: String?) throws {
        #expect(try #require(WebAddress(base)).resolving(location)?.description == result)
    }

    @Test func addsEscapedParameters() throws {
        let address = try #require(WebAddress("https://a/b?c=d"))
        #expect(
            address.adding("scope", "repository:a/b:pull,push&x=y z").description
                == "https://a/b?c=d&scope=repository:a/b:pull,push%26x%3Dy%20z")
    }

    @Test(
        arguments: [
            ("docker.io/ai/x", "m.example", ["https://m.example/v2/ai/x/tags"]),
            (
                "docker.io/ai/x", " m.example , http://10.0.0.1:5000/hub/ ,",
                [
                    "https://m.example/v2/ai/x/tags", "http://10.0.0.1:5000/hub/v2/ai/x/tags",
                ]
            ),
            ("ghcr.io/ai/x", "m.example", []), ("localhost:5000/x", "m.example", []), ("docker.io/ai/x", "", []),
        ] as [(String, String, [String])])
    func mirrorsAreDockerHubs(reference: String, list: String, addresses: [String]) throws {
        let paths = Paths(environment: ["MODEL_RUNNER_REGISTRY_MIRRORS": list])
        let endpoint = try Endpoint(Reference(parsing: reference), environment: paths)
        let found = endpoint.mirrors.map { Endpoint(mirror: $0, repository: endpoint.repository).address("tags") }
        #expect(found.map(\.description) == addresses)
    }

    @Test(arguments: ["ftp://x", "https://u:p@x", "x/?a=b", "a b/ü"])
    func refusesABadMirror(_ list: String) {
        let paths = Paths(environment: ["MODEL_RUNNER_REGISTRY_MIRRORS": list])
        #expect(throws: Failure.self) { try Endpoint(Reference(parsing: "docker.io/ai/x"), environment: paths) }
    }

    @Test func readsAChallenge() throws {
        let text = "Bearer realm=\"https://auth.x/t\\\"k\", service=reg.x ,scope=\"repository:a/b:pull,push\""
        let challenge = try #require(Challenge.all(in: [text]).first)
        #expect(challenge.parameters["scope"] == "repository:a/b:pull,push")
        let bearer = try #require(BearerChallenge(challenge))
        #expect(bearer.realm == "https://auth.x/t\"k")
        #expect(bearer.service == "reg.x")
    }

    @Test(
        arguments: [
            (["bearer realm=a"], ["bearer a"]), (["Basic realm=\"x y\""], ["basic x y"]), (["Basic"], ["basic -"]),
            (["Basic realm=a, Bearer realm = \"b\",service=c"], ["basic a", "bearer b"]),
            (["Negotiate", "Bearer realm=a"], ["negotiate -", "bearer a"]),
            (["Negotiate dG9r==, Basic realm=a"], ["negotiate -", "basic a"]),
            (["Basic, Bearer realm=a"], ["basic -", "bearer a"]), (["Bearer"], ["bearer -"]),
            ([""], []), (["realm=a"], []), (["Bearer realm=\"a"], ["bearer -"]),
            (["Bearer realm=a, \"b\""], ["bearer a"]),
            (["Bearer realm=" + String(repeating: "a", count: 8192)], []), ([", ,Basic realm=a,,"], ["basic a"]),
        ] as [([String], [String])])
    func readsSeveralChallenges(headers: [String], found: [String]) {
        #expect(Challenge.all(in: headers).map { "\($0.scheme) \($0.parameters["realm"] ?? "-")" } == found)
    }

    @Test func headersExpireAndAreForgotten() {
        let tokens = Tokens()
        tokens.store("Bearer t", for: "k", lifetime: 60, now: Timestamp(seconds: 1000))
        #expect(tokens.header(for: "k", now: Timestamp(seconds: 1050)) == "Bearer t")
        #expect(tokens.header(for: "k", now: Timestamp(seconds: 1060)) == nil)
        tokens.forget("Bearer other", for: "k")
        #expect(tokens.header(for: "k", now: Timestamp(seconds: 1001)) == "Bearer t")
        tokens.forget("Bearer t", for: "k")
        #expect(tokens.header(for: "k", now: Timestamp(seconds: 1001)) == nil)
    }
}
