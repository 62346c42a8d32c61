import Core
import NIOCore
import Testing
import Toolkit

@Suite struct RemoteEntryTests {
    private func remote(_ entry: String) throws -> Server.Remote? {
        try Catalog(parsing: ByteBuffer(string: "registry:\n  far: \(entry)\n"), source: "t").server(named: "far")
            .remote
    }

    @Test func anEntrySaysWhereAServerIs() throws {
        let remote = try #require(
            try remote(
                """
                {type: remote, remote: {url: "https://far.example/mcp", transport_type: streamable-http,
                    headers: {Authorization: "Bearer ${TOKEN}", X-Team: 7}}, oauth: {providers: [{provider: far}]}}
                """))
        #expect(remote.url == "https://far.example/mcp" && remote.transport == "streamable-http" && remote.wantsSignIn)
        #expect(remote.headers.map(\.name) == ["Authorization", "X-Team"])
        #expect(remote.headers.map(\.value) == ["Bearer ${TOKEN}", "7"])
        let older = try #require(try self.remote("{sseEndpoint: 'https://far.example/sse'}"))
        #expect(older.url == "https://far.example/sse" && older.transport == "sse" && older.headers.isEmpty)
        let plain = try #require(try self.remote("{remote: {url: 'https://far.example/mcp'}}"))
        #expect(plain.transport == nil && !plain.wantsSignIn)
        #expect(try self.remote("{image: i}") == nil)
        #expect(try self.remote("{image: i, remote: null}") == nil)
    }

    @Test(arguments: [
        "{remote: yes}", "{remote: {}}", "{remote: {url: [1]}}", "{remote: {url: u, headers: [a]}}",
        "{remote: {url: u, headers: {a: [1]}}}", "{remote: {url: u, transport_type: {}}}", "{sseEndpoint: [1]}",
        "{remote: {url: \"a\\u0007\"}}",
    ])
    func whatIsOfTheWrongKindIsRefused(entry: String) throws {
        let failure = #expect(throws: Failure.self) { try remote(entry) }
        #expect(failure?.code == .invalidArgument && failure?.message.contains("far") == true)
    }
}
