import Core
import NIOCore
import TestSupport
import Testing

@testable import OCI

@Suite struct MirrorTests {
    private static let manifest: ScriptedServer.Answer = .http(
        200, [("Content-Type", MediaType.manifest)], Sample.text)

    /// Runs a hub, two mirrors and a client that knows them.
    private func with(
        config: @escaping (ScriptedServer, ScriptedServer) -> String = { _, _ in "{}" },
        _ body: (_ hub: ScriptedServer, _ mirrors: [ScriptedServer], Registry, Reference) async throws -> Void
    ) async throws {
        try await ScriptedServer.run({ _ in Self.manifest }) { hub in
            try await ScriptedServer.run({ _ in Self.manifest }) { first in
                try await ScriptedServer.run({ _ in Self.manifest }) { second in
                    try await withDockerConfig(config(hub, first)) { folder in
                        let environment = [
                            "DEFAULT_REGISTRY": hub.address,
                            "MODEL_RUNNER_REGISTRY_MIRRORS": "http://\(first.address)/hub, http://\(second.address)",
                        ]
                        try await withScript(environment: environment.merging(folder) { $1 }) { _, registry, _ in
                            try await body(hub, [first, second], registry, Reference(parsing: "docker.io/ai/x"))
                        }
                    }
                }
            }
        }
    }

    @Test func areAskedFirst() async throws {
        try await with { hub, mirrors, registry, reference in
            try await expectSample(registry, reference)
            #expect(mirrors[0].lines == ["GET /hub/v2/ai/x/manifests/latest"])
            #expect(mirrors[1].requests.isEmpty && hub.requests.isEmpty)
        }
    }

    @Test(
        arguments: [
            .http(404), .http(500), .http(503), .http(401), .http(401, [("WWW-Authenticate", "Basic realm=x")]), .close,
            .http(302, [("Location", "nonsense")]), .http(200, [("Content-Type", "text/html")], "<html>"),
            .http(401, [("WWW-Authenticate", "Bearer realm=\"http://example.invalid/\"")]), .raw("nonsense\r\n\r\n"),
        ] as [ScriptedServer.Answer])
    func oneThatFailsIsPassedOver(_ answer: ScriptedServer.Answer) async throws {
        try await with { hub, mirrors, registry, reference in
            mirrors[0].answer { _ in answer }
            try await expectSample(registry, reference)
            #expect(mirrors[1].lines == ["GET /v2/ai/x/manifests/latest"])
            mirrors[1].answer { _ in answer }
            try await expectSample(registry, reference)
            #expect(hub.lines == ["GET /v2/ai/x/manifests/latest"])
        }
    }

    @Test func oneThatCannotBeReachedIsLeftAloneForAWhile() async throws {
        try await with { hub, mirrors, registry, reference in
            mirrors[0].answer { _ in .close }
            try await expectSample(registry, reference)
            let asked = mirrors[0].requests.count
            try await expectSample(registry, reference)
            #expect(mirrors[0].requests.count == asked)
            #expect(mirrors[1].requests.count == 2 && hub.requests.isEmpty)
        }
    }

    @Test func getNothingThatIsTheHubs() async throws {
        try await with(config: { hub, _ in #"{"auths":{"\#(hub.address)":{"auth":"bWU6cHc="}}}"# }) {
            hub, mirrors, registry, reference in
            for server in mirrors + [hub] {
                server.answer { request in
                    request.header("Authorization") == nil
                        ? .http(401, [("WWW-Authenticate", "Basic realm=x")]) : Self.manifest
                }
            }
            try await expectSample(registry, reference)
            #expect(hub.requests.last?.header("Authorization") == "Basic bWU6cHc=")
            #expect(mirrors.flatMap(\.requests).allSatisfy { $0.header("Authorization") == nil })
        }
    }

    @Test func mayHaveCredentialsOfTheirOwn() async throws {
        try await with(config: { _, mirror in #"{"auths":{"\#(mirror.address)":{"auth":"bWU6cHc="}}}"# }) {
            hub, mirrors, registry, reference in
            mirrors[0].answer { request in
                request.header("Authorization") == "Basic bWU6cHc="
                    ? Self.manifest : .http(401, [("WWW-Authenticate", "Basic realm=x")])
            }
            try await expectSample(registry, reference)
            #expect(mirrors[0].requests.count == 2 && mirrors[1].requests.isEmpty && hub.requests.isEmpty)
        }
    }

    @Test func areNotPushedTo() async throws {
        try await with { hub, mirrors, registry, reference in
            hub.answer { request in request.method == "PUT" ? .http(201) : .http(404) }
            try await registry.pushManifest(Sample.manifest, to: reference)
            #expect(hub.lines == ["PUT /v2/ai/x/manifests/latest"])
            #expect(mirrors.allSatisfy { $0.requests.isEmpty })
        }
    }

    @Test func areForDockerHubAlone() async throws {
        try await with { _, mirrors, registry, _ in
            try await ScriptedServer.run({ _ in Self.manifest }) { other in
                try await expectSample(registry, Reference(parsing: "\(other.address)/ai/x"))
                #expect(mirrors.allSatisfy { $0.requests.isEmpty })
            }
        }
    }
}
