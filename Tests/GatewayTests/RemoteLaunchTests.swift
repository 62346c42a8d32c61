import Core
import MCPHTTP
import NIOCore
import OCI
import Testing
import Toolkit

@testable import Gateway

@Suite struct RemoteLaunchTests {
    private func launch(_ entry: String, _ change: (inout GatewaySettings) throws -> Void = { _ in }) throws
        -> RemoteLaunch
    {
        let server = try Catalog(parsing: ByteBuffer(string: "registry:\n  far: \(entry)\n"), source: "t")
            .server(named: "far")
        var settings = GatewaySettings()
        try change(&settings)
        return try RemoteLaunch(server: server, remote: try #require(server.remote), settings: settings)
    }

    private static let entry = """
        {remote: {url: "https://{{far.host|or:far.example}}/mcp", headers: {Authorization: "Bearer ${TOKEN}"}},
            secrets: [{name: far.token, env: TOKEN}]}
        """

    @Test func secretsAndValuesFindTheirPlaces() throws {
        let launch = try launch(Self.entry) { settings in
            settings.secrets = ["far.token": "s3cret"]
            settings.values = .init([("far", ["host": "my.example"])])
        }
        #expect(launch.endpoint.address.description == "https://my.example/mcp")
        #expect(launch.endpoint.headers.map(\.value) == ["Bearer s3cret"])
        #expect(launch.endpoint.kind == .automatic && !launch.endpoint.allowsPrivate && launch.warnings.isEmpty)
    }

    @Test func aMissingSecretIsWarnedOfAndNotSent() throws {
        let launch = try launch(Self.entry)
        #expect(launch.endpoint.address.description == "https://far.example/mcp")
        #expect(launch.endpoint.headers.map(\.value) == ["Bearer "])
        #expect(launch.warnings.first?.contains("far.token") == true)
    }

    @Test(
        arguments: [
            ("sse", .events), ("SSE", .events), ("http", .streamable), ("streamable", .streamable),
            ("streaming", .streamable), ("streamable-http", .streamable), ("''", .automatic), ("pigeon", nil),
        ] as [(String, RemoteEndpoint.Kind?)])
    func transports(name: String, kind: RemoteEndpoint.Kind?) throws {
        do {
            let launch = try launch("{remote: {url: 'https://far.example/', transport_type: \(name)}}")
            #expect(launch.endpoint.kind == kind)
        } catch let failure as Failure { #expect(kind == nil && failure.code == .invalidArgument) }
    }

    @Test func whoWantsASignInIsToldOf() throws {
        let entry = "{remote: {url: 'https://far.example/'}, oauth: {providers: [{provider: far}]}}"
        #expect(try launch(entry).warnings.first?.contains("OAuth") == true)
    }

    @Test func theGrantIsTheServersOwn() throws {
        let near = try launch("{remote: {url: 'http://127.0.0.1:8000/mcp'}}") {
            try $0.grants.allowPrivateNetwork("far")
        }
        #expect(near.endpoint.allowsPrivate)
        let other = try launch("{remote: {url: 'http://127.0.0.1:8000/mcp'}}") {
            try $0.grants.allowPrivateNetwork("x")
        }
        #expect(!other.endpoint.allowsPrivate)
    }

    @Test(arguments: ["not-a-url", "ftp://far.example", "https://u:p@far.example/"]) func badAddresses(url: String) {
        let failure = #expect(throws: Failure.self) { try launch("{remote: {url: '\(url)'}}") }
        #expect(failure?.code == .invalidArgument && failure?.description.contains("u:p") == false)
    }
}
