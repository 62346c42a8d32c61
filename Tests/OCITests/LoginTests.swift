import Core
import NIOCore
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import OCI

/// Who is shown what, and what happens when it is refused.
@Suite struct LoginTests {
    /// `me:pw`
    private static let basic = "Basic bWU6cHc="

    private func auths(_ server: ScriptedServer) -> String { #"{"auths":{"\#(server.address)":{"auth":"bWU6cHc="}}}"# }

    private func reference(_ server: ScriptedServer) throws -> Reference {
        try Reference(parsing: "\(server.address)/ai/x")
    }

    /// A registry that takes a user name and password.
    private static let basicRegistry: ScriptedServer.Script = { request in
        request.header("Authorization") == basic
            ? .http(200, [], Sample.text) : .http(401, [("WWW-Authenticate", "Basic realm=\"x\"")])
    }

    @Test func aPasswordIsSentWhereItIsAskedFor() async throws {
        try await ScriptedServer.run(Self.basicRegistry) { server in
            try await withDockerConfig(auths(server)) { environment in
                try await withScript(environment: environment) { _, registry, _ in
                    try await expectSample(registry, reference(server))
                    try await expectSample(registry, reference(server))
                    // Not before it is asked for, and not again once it is known.
                    #expect(server.requests.map { $0.header("Authorization") } == [nil, Self.basic, Self.basic])
                }
            }
        }
    }

    @Test func aLoginHelpsAtOnceAndALogoutCounts() async throws {
        try await ScriptedServer.run(Self.basicRegistry) { server in
            try await withDockerConfig("{}") { environment in
                let config = FilePath(environment["DOCKER_CONFIG"] ?? "").appending("config.json")
                try await withScript(environment: environment) { _, registry, _ in
                    let failure = await #expect(throws: Failure.self) { try await registry.resolve(reference(server)) }
                    #expect(failure?.code == .unauthorized)
                    #expect(failure?.description.contains("needs docker login \(server.address)") == true)
                    #expect(server.requests.count == 1)
                    try Files.write(ByteBuffer(string: auths(server)), to: config)
                    try await expectSample(registry, reference(server))
                }
            }
        }
    }

    @Test func aWrongPasswordIsTriedOnce() async throws {
        let script: ScriptedServer.Script = { _ in .http(401, [("WWW-Authenticate", "Basic realm=\"x\"")]) }
        try await ScriptedServer.run(script) { server in
            try await withDockerConfig(auths(server)) { environment in
                try await withScript(environment: environment) { _, registry, _ in
                    let failure = await #expect(throws: Failure.self) { try await registry.resolve(reference(server)) }
                    #expect(failure?.code == .unauthorized)
                    #expect(
                        failure?.description.contains(
                            "\(server.address) answered Unauthorized to the credentials that are stored for it. "
                                + "Log in with docker login \(server.address)") == true,
                        "\(String(describing: failure))")
                    #expect(server.requests.count == 2)
                    #expect(!(failure?.description.contains("pw") ?? true))
                }
            }
        }
    }

    /// A registry that wants `Bearer good` and hands it out at `/token`.
    private func bearerRegistry(
        realm: String = "/token", token: @escaping ScriptedServer.Script
    ) -> @Sendable (ScriptedServer) -> ScriptedServer.Script {
        { server in
            let challenge =
                "Bearer realm=\"\(realm.hasPrefix("/") ? "http://\(server.address)\(realm)" : realm)\",service=\"s\""
            return { request in
                if request.path == "/token" { return token(request) }
                return request.header("Authorization") == "Bearer good"
                    ? .http(200, [], Sample.text) : .http(401, [("WWW-Authenticate", "Basic realm=x, \(challenge)")])
            }
        }
    }

    @Test func aTokenIsAskedForWithThePassword() async throws {
        try await ScriptedServer.run { server in
            server.answer(
                by: bearerRegistry { request in
                    request.header("Authorization") == Self.basic
                        ? .http(200, [], #"{"access_token":"good"}"#) : .http(401)
                }(server))
            try await withDockerConfig(auths(server)) { environment in
                try await withScript(environment: environment) { _, registry, _ in
                    try await expectSample(registry, reference(server))
                    let asked = try #require(server.requests.first { $0.path == "/token" })
                    #expect(asked.query == "service=s&scope=repository:ai/x:pull")
                    // The password goes to the realm, the token to the registry.
                    let shown = server.requests.map { $0.header("Authorization") ?? "nothing" }
                    #expect(shown == ["nothing", Self.basic, "Bearer good"])
                }
            }
        }
    }

    @Test func anIdentityTokenIsExchangedByPost() async throws {
        try await ScriptedServer.run { server in
            server.answer(
                by: bearerRegistry { request in
                    let form = String(buffer: request.body)
                    return request.method == "POST" && form.contains("grant_type=refresh_token")
                        && form.contains("refresh_token=a%2Bb") && form.contains("scope=repository:ai/x:pull")
                        && form.contains("service=s") && request.header("Authorization") == nil
                        ? .http(200, [], #"{"access_token":"good","expires_in":300}"#) : .http(400)
                }(server))
            let config = #"{"auths":{"\#(server.address)":{"identitytoken":"a+b"}}}"#
            try await withDockerConfig(config) { environment in
                try await withScript(environment: environment) { _, registry, _ in
                    try await expectSample(registry, reference(server))
                    // Not in an address, where logs would have it.
                    #expect(!server.requests.contains { $0.query.contains("a+b") || $0.query.contains("a%2Bb") })
                }
            }
        }
    }

    @Test func refusedCredentialsAreNamedAndNotRepeated() async throws {
        try await ScriptedServer.run { server in
            server.answer(by: bearerRegistry { _ in .http(401) }(server))
            try await withDockerConfig(auths(server)) { environment in
                try await withScript(environment: environment) { _, registry, _ in
                    let failure = await #expect(throws: Failure.self) { try await registry.resolve(reference(server)) }
                    #expect(failure?.code == .unauthorized)
                    #expect(
                        failure?.description.contains("Log in again with docker login \(server.address)") == true,
                        "\(String(describing: failure))")
                    #expect(server.requests.count == 2)
                }
            }
        }
    }

    @Test func aLoopOfRefusalsEnds() async throws {
        try await withScript { server, registry, _ in
            server.answer(by: bearerRegistry { _ in .http(200, [], #"{"token":"useless"}"#) }(server))
            let failure = await #expect(throws: Failure.self) { try await registry.resolve(reference(server)) }
            #expect(failure?.code == .unauthorized)
            #expect(failure?.description.contains("not everybody may pull from ai/x") == true)
            #expect(server.lines == ["GET /v2/ai/x/manifests/latest", "GET /token", "GET /v2/ai/x/manifests/latest"])
        }
    }

    @Test func aHelperThatFailsMattersOnlyWhereItIsNeeded() async throws {
        try await ScriptedServer.run { server in
            let open = Mutex(true)
            let answers = bearerRegistry { _ in open.withLock { $0 } ? .http(200, [], #"{"token":"good"}"#) : .http(401)
            }
            server.answer(by: answers(server))
            try await withDockerConfig(#"{"credsStore":"none"}"#) { environment in
                try await withScript(environment: environment) { _, registry, _ in
                    try await expectSample(registry, reference(server))
                }
                open.withLock { $0 = false }
                try await withScript(environment: environment) { _, registry, _ in
                    let failure = await #expect(throws: Failure.self) { try await registry.resolve(reference(server)) }
                    #expect(failure?.code == .unauthorized)
                    #expect(failure?.description.contains("docker-credential-none is not in PATH") == true)
                }
            }
        }
    }

    @Test(arguments: ["nothing", "{}", #"{"token":""}"#, #"{"token":"a b"}"#, #"{"token":"a\nb"}"#, "[]"])
    func aUselessTokenIsRefused(_ answer: String) async throws {
        try await withScript { server, registry, _ in
            server.answer(by: bearerRegistry { _ in .http(200, [], answer) }(server))
            let failure = await #expect(throws: Failure.self) { try await registry.resolve(reference(server)) }
            #expect(failure?.description.contains("gave no usable token") == true)
        }
    }

    /// Credentials of the environment are Docker Hub's, whatever stands in for it.
    @Test func aReplacementOfDockerHubGetsNoneOfItsCredentials() async throws {
        try await ScriptedServer.run(Self.basicRegistry) { server in
            let environment = [
                "DEFAULT_REGISTRY": server.address, "DOCKER_USERNAME": "me", "DOCKER_PASSWORD": "pw",
            ]
            try await withScript(environment: environment) { _, registry, _ in
                await #expect(throws: Failure.self) { try await registry.resolve(Reference(parsing: "docker.io/ai/x")) }
                #expect(server.requests.map { $0.header("Authorization") } == [nil])
            }
        }
    }

    @Test func whoIsRedirectedToCannotAskForThePassword() async throws {
        try await ScriptedServer.run { thief in
            thief.answer { _ in
                .http(401, [("WWW-Authenticate", "Bearer realm=\"http://\(thief.address)/token\", Basic realm=x")])
            }
            try await ScriptedServer.run({ _ in .http(307, [("Location", "http://\(thief.address)/x")]) }) { server in
                try await withDockerConfig(auths(server)) { environment in
                    try await withScript(environment: environment) { _, registry, _ in
                        let failure = await #expect(throws: Failure.self) {
                            try await registry.resolve(reference(server))
                        }
                        #expect(failure?.code == .unauthorized)
                        #expect(thief.lines == ["GET /x"])
                        #expect(thief.requests.allSatisfy { $0.header("Authorization") == nil })
                    }
                }
            }
        }
    }

    @Test func aRealmThatRedirectsIsNotFollowed() async throws {
        try await ScriptedServer.run({ _ in .http(200, [], #"{"token":"good"}"#) }) { elsewhere in
            try await withScript { server, registry, _ in
                let answers = bearerRegistry { _ in .http(302, [("Location", "http://\(elsewhere.address)/token")]) }
                server.answer(by: answers(server))
                await #expect(throws: Failure.self) { try await registry.resolve(reference(server)) }
                #expect(elsewhere.requests.isEmpty)
            }
        }
    }
}
