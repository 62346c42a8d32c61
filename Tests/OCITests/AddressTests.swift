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

    @Test func readsAChallenge() throws {
        let text = "Bearer realm=\"https://auth.x/t\\\"k\", service=reg.x ,scope=\"repository:a/b:pull,push\""
        let challenge = try #require(BearerChallenge(text))
        #expect(challenge.realm == "https://auth.x/t\"k")
        #expect(challenge.service == "reg.x")
        #expect(challenge.scope == "repository:a/b:pull,push")
        #expect(BearerChallenge("bearer realm=a")?.realm == "a")
    }

    @Test(arguments: [
        "", "Basic realm=\"x\"", "Bearer", "Bearer ", "Bearer service=\"x\"", "Bearer realm=\"x", "Bearer realm",
    ])
    func refusesAChallenge(_ text: String) { #expect(BearerChallenge(text) == nil) }

    @Test func tokensExpireAndAreForgotten() {
        let tokens = Tokens()
        tokens.store("t", for: "k", lifetime: 60, now: Timestamp(seconds: 1000))
        #expect(tokens.token(for: "k", now: Timestamp(seconds: 1050)) == "t")
        #expect(tokens.token(for: "k", now: Timestamp(seconds: 1060)) == nil)
        tokens.forget("k")
        #expect(tokens.token(for: "k", now: Timestamp(seconds: 1001)) == nil)
    }
}
