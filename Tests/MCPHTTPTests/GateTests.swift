import Core
import NIOCore
import SystemPackage
import Testing

@testable import MCPHTTP

extension Gate {
    fileprivate func refusal(of claims: Claims) -> Refusal? {
        do {
            _ = try admit(claims)
            return nil
        } catch { return error }
    }
}

@Suite struct GateTests {
    private static let token = "s3cret-token"

    private func gate(_ host: String = "127.0.0.1", open: Bool = false) throws -> Gate {
        Gate(host: host, authorization: open ? .open : .bearer(try BearerToken(Self.token)))
    }

    @Test(arguments: [
        ("127.0.0.1", "localhost:8811", true), ("127.0.0.1", "LOCALHOST", true), ("127.0.0.1", "127.0.0.1:1", true),
        ("127.0.0.1", "127.9.9.9", true), ("127.0.0.1", "[::1]:8811", true), ("127.0.0.1", "evil.example", false),
        ("127.0.0.1", "localhost.evil.example", false), ("127.0.0.1", "127.0.0.1.evil.example", false),
        ("127.0.0.1", "127.evil", false), ("127.0.0.1", "192.168.1.5:8811", false), ("127.0.0.1", "", false),
        ("127.0.0.1", "localhost:0", false), ("127.0.0.1", "localhost:99999", false), ("127.0.0.1", "[::1", false),
        ("192.168.1.5", "192.168.1.5:8811", true), ("192.168.1.5", "localhost", true),
        ("192.168.1.5", "evil.example", false), ("Box.lan", "box.lan:8811", true), ("0.0.0.0", "gateway:8811", true),
        ("::", "[fe80::1]:8811", true),
    ])
    func hosts(bound: String, authority: String, isAllowed: Bool) throws {
        let claims = Gate.Claims(authority: authority, authorization: "Bearer \(Self.token)")
        #expect(try gate(bound).refusal(of: claims) == (isAllowed ? nil : .host))
    }

    @Test(arguments: [("10.0.0.7:8811", true), ("[fe80::1]", true), ("gateway:8811", false), ("1.2.3.4.5", false)])
    func withoutATokenOnlyAddressesLeadToAGatewayThatListensEverywhere(authority: String, isAllowed: Bool) throws {
        let refusal = try gate("0.0.0.0", open: true).refusal(of: .init(authority: authority))
        #expect(refusal == (isAllowed ? nil : .host))
    }

    @Test func aRequestWithoutAHostIsRefused() throws {
        #expect(try gate(open: true).refusal(of: .init()) == .host)
    }

    @Test(arguments: [
        ("http://localhost", true), ("https://localhost:3000", true), ("http://127.0.0.1:5173", true),
        ("http://[::1]:1", true), ("HTTP://LOCALHOST", true), ("http://evil.example", false), ("null", false),
        ("http://localhost.evil.example", false), ("file://localhost", false), ("http://", false),
        ("http://localhost, http://evil.example", false), ("http://localhost@evil.example", false),
    ])
    func origins(origin: String, isAllowed: Bool) throws {
        let claims = Gate.Claims(authority: "localhost", origin: origin)
        #expect(try gate(open: true).refusal(of: claims) == (isAllowed ? nil : .origin))
    }

    @Test(arguments: [
        ("Bearer s3cret-token", true), ("bearer  s3cret-token", true), ("Bearer s3cret-toke", false),
        ("Bearer s3cret-token2", false), ("Bearer S3cret-token", false), ("Basic s3cret-token", false),
        ("s3cret-token", false), ("Bearer", false), ("Bearer ", false), ("", false), ("Bearer s3cret-token x", false),
    ])
    func tokens(header: String, isAllowed: Bool) throws {
        let claims = Gate.Claims(authority: "localhost", authorization: header)
        #expect(try gate().refusal(of: claims) == (isAllowed ? nil : .unauthorized))
    }

    @Test func aNameThatWasGivenToTheGatewayIsItsOwn() throws {
        let gate = Gate(
            host: "192.168.1.5", names: ["tools.example"], authorization: .bearer(try BearerToken(Self.token)))
        for (authority, refusal) in [
            ("Tools.Example:8811", nil), ("evil.tools.example", .host), ("tools.example.evil", .host),
        ] as [(String, Gate.Refusal?)] {
            let claims = Gate.Claims(authority: authority, authorization: "Bearer \(Self.token)")
            #expect(gate.refusal(of: claims) == refusal)
        }
    }

    @Test func everyTokenIsSomebodys() throws {
        let digest = try #require(TokenDigest(hex: "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"))
        let authorization = Authorization.tokens([
            Token(digest: try BearerToken("one").digest, principal: Principal(name: "alice", servers: ["git"])),
            Token(digest: digest, principal: Principal(name: "bob")),
        ])
        let gate = Gate(host: "127.0.0.1", authorization: authorization)
        func name(_ token: String) -> String? {
            try? gate.admit(.init(authority: "localhost", authorization: "Bearer \(token)")).name
        }
        #expect(name("one") == "alice")
        #expect(name("secret") == "bob", "a token by its SHA-256")
        #expect(name("two") == nil)
        #expect(TokenDigest(hex: "2bb8") == nil && TokenDigest(hex: String(repeating: "g", count: 64)) == nil)
    }

    @Test(
        arguments: [
            ("10/s", 10, 1), ("600/m", 600, 60), ("1/h", 1, 3600), ("0/s", nil, 0), ("-1/s", nil, 0), ("10", nil, 0),
            ("10/d", nil, 0), ("/s", nil, 0), ("", nil, 0), ("1e9/s", nil, 0),
        ] as [(String, Int?, Int)])
    func rates(text: String, count: Int?, seconds: Int) {
        let rate = Rate(text)
        #expect(rate?.count == count)
        if let rate { #expect(rate.interval == .seconds(seconds)) }
    }

    @Test func aBucketGivesItsCountAtOnceAndThenSteadily() throws {
        let start = ContinuousClock.now
        var bucket = TokenBucket(try #require(Rate("10/s")), now: start)
        for _ in 0..<10 { #expect(bucket.take(now: start) == nil) }
        #expect(bucket.take(now: start) == .milliseconds(100))
        #expect(bucket.take(now: start + .milliseconds(100)) == nil)
        #expect(bucket.take(3, now: start + .milliseconds(100)) == .milliseconds(300))
        #expect(bucket.take(10, now: start + .seconds(60)) == nil, "it never holds more than its count")
        #expect(bucket.take(now: start + .seconds(60)) == .milliseconds(100))
    }

    @Test(
        arguments: [
            ("/mcp", Route(.mcp)), ("/sse", Route(.sse)), ("/message", Route(.message)),
            ("/servers/git/mcp", Route(.mcp, .server("git"))),
            ("/servers/a.b-c_d/sse", Route(.sse, .server("a.b-c_d"))),
            ("/servers/git/message", Route(.message, .server("git"))), ("/", nil), ("", nil), ("/mcp/", nil),
            ("mcp", nil), ("/servers//mcp", nil), ("/servers/git", nil), ("/servers/git/mcp/", nil),
            ("/other/git/mcp", nil),
            ("/servers/a/b/mcp", nil), ("/health", nil),
        ] as [(String, Route?)])
    func routes(path: String, route: Route?) { #expect(Route(path: path) == route) }

    @Test func hostAndOriginComeBeforeTheToken() throws {
        #expect(try gate().refusal(of: .init(authority: "evil.example", origin: "http://evil.example")) == .host)
        #expect(try gate().refusal(of: .init(authority: "localhost", origin: "http://evil.example")) == .origin)
        #expect(try gate().refusal(of: .init(authority: "localhost")) == .unauthorized)
        #expect(try gate().refusal(of: .init(authority: "localhost", isOpenPath: true)) == nil)
        #expect(try gate().refusal(of: .init(authority: "evil.example", isOpenPath: true)) == .host)
    }

    @Test func aTokenIsNeverShown() throws {
        let token = try BearerToken(Self.token)
        var dumped = ""
        dump(Authorization.bearer(token), to: &dumped)
        for text in ["\(token)", String(reflecting: token), "\(Authorization.bearer(token))", dumped] {
            #expect(!text.contains(Self.token))
        }
    }

    @Test(arguments: ["", "two words", "new\nline", "ümlaut", String(repeating: "x", count: 4097)])
    func unusableTokensAreRefusedWithoutRepeatingThem(text: String) {
        let failure = #expect(throws: Failure.self) { try BearerToken(text) }
        #expect(failure?.code == .invalidArgument)
        #expect(text.isEmpty || failure?.description.contains(text) == false)
    }

    @Test func theEnvironmentGivesTheToken() throws {
        let folder = try Files.makeTemporaryDirectory(prefix: "token-")
        defer { try? Files.remove(folder) }
        let file = folder.appending("token")
        try Files.write(ByteBuffer(string: "  from-a-file\n"), to: file)
        let names = ["MCP_GATEWAY_AUTH_TOKEN": "from-a-variable", "MCP_GATEWAY_AUTH_TOKEN_FILE": file.string]
        let both = try BearerToken.fromEnvironment(Paths(environment: names))
        #expect(both.token.secret == "from-a-variable" && both.source == .variable)
        let one = try BearerToken.fromEnvironment(
            Paths(environment: ["MCP_GATEWAY_AUTH_TOKEN": "", "MCP_GATEWAY_AUTH_TOKEN_FILE": file.string]))
        #expect(one.token.secret == "from-a-file" && one.source == .file)
        let none = try (0..<20).map { _ in try BearerToken.fromEnvironment(Paths(environment: [:])) }
        #expect(Set(none.map(\.token.secret)).count == 20)
        for (token, source) in none {
            #expect(source == .generated && token.secret.count == 50)
            #expect(token.secret.allSatisfy { "abcdefghijklmnopqrstuvwxyz0123456789".contains($0) })
        }
    }

    @Test(arguments: [
        ["MCP_GATEWAY_AUTH_TOKEN": "two words"], ["MCP_GATEWAY_AUTH_TOKEN_FILE": "/nowhere/token"],
    ])
    func aTokenThatCannotBeUsedIsNotReplacedByAnother(environment: [String: String]) {
        let failure = #expect(throws: Failure.self) {
            try BearerToken.fromEnvironment(Paths(environment: environment))
        }
        #expect(failure?.message.hasPrefix(environment.keys.first ?? "-") == true)
    }

    @Test(
        arguments: [
            (nil, true), ("application/json, text/event-stream", true), ("*/*", true),
            ("text/*,application/*;q=0.5", true),
            ("Application/JSON , TEXT/Event-Stream;q=1", true), ("application/json", false),
            ("text/event-stream", false),
            ("application/json, text/event-stream;q=0", false), ("", false),
        ] as [(String?, Bool)])
    func accept(header: String?, expected: Bool) {
        #expect(MediaRange.accepts(header, "application/json", "text/event-stream") == expected)
    }

    @Test(
        arguments: [
            ("application/json", true), ("Application/Json; charset=utf-8", true), ("text/plain", false), (nil, false),
            ("application/jsonp", false),
        ] as [(String?, Bool)])
    func contentType(header: String?, expected: Bool) {
        #expect(MediaRange.isType(header, "application/json") == expected)
    }
}
