import AsyncHTTPClient
import Core
import NIOCore
import OCI
import TestSupport
import Testing

@testable import Hub

@Suite(.timeLimit(.minutes(2))) struct SearchTests {
    private static let page = """
        {"count":3,"next":%NEXT%,"results":[
         {"name":"smollm2","description":"Small \\u001b[31mmodel","pull_count":1234567,"star_count":12,
          "last_updated":"2026-01-01"},
         {"name":"../evil","description":"small"},{"name":"other","description":"a SMALL one","pull_count":3}]}
        """
    private static let models = #"""
        [{"id":"Org/Repo","downloads":45000,"likes":7,"pipeline_tag":"text-generation"},{"id":"../x"},{"nothing":1}]
        """#

    private func run(_ body: (FakeHub, DockerHubSearch, HuggingFace) async throws -> Void) async throws {
        try await FakeHub.run { fake in
            try await FakeRegistry.run { registry in
                let environment = Paths(environment: [
                    "HF_ENDPOINT": fake.endpoint, "DOCKER_HUB_ENDPOINT": fake.endpoint,
                    "DEFAULT_REGISTRY": registry.address,
                ])
                let layer = registry.add(blob: ByteBuffer(string: "weights"))
                let config = registry.add(blob: ByteBuffer(string: "{}"))
                let manifest = Manifest(
                    config: Descriptor(mediaType: MediaType.modelConfig, digest: try Digest(parsing: config), size: 2),
                    layers: [Descriptor(mediaType: MediaType.gguf, digest: try Digest(parsing: layer), size: 7)])
                registry.add(manifest: manifest.raw, repository: "ai/smollm2", tag: "latest")
                fake.publish("Org/Repo", ["x-Q4_K_M.gguf": ByteBuffer(repeating: 1, count: 2000)])
                fake.answer("/v2/repositories/ai/", Self.page.replacing("%NEXT%", with: "null"))
                fake.answer("/api/models", Self.models)
                fake.answer(
                    "/api/models/Org/Repo/tree/main", #"[{"type":"file","path":"x-Q4_0.gguf","size":9,"oid":"0"}]"#)
                try await HTTPClient.withHTTPClient(configuration: Registry.clientConfiguration) { client in
                    try await body(
                        fake,
                        DockerHubSearch(
                            transport: client.hubTransport, environment: environment, userAgent: "t",
                            registry: Registry(client: client, environment: environment, userAgent: "t")),
                        HuggingFace(transport: client.hubTransport, environment: environment, userAgent: "t"))
                }
            }
        }
    }

    private func sources(_ docker: DockerHubSearch, _ hub: HuggingFace) -> [ModelSearch.Source] {
        [
            .init(SearchResult.dockerHub, search: docker.search, describe: docker.described),
            .init(SearchResult.huggingFace, search: hub.search, describe: hub.described),
        ]
    }

    @Test func bothSourcesMakeOneList() async throws {
        try await run { fake, docker, hub in
            let (results, warnings) = try await ModelSearch(sources(docker, hub)).run("small", limit: 10)
            #expect(warnings.isEmpty)
            #expect(results.map(\.name) == ["ai/smollm2", "ai/other", "hf.co/Org/Repo"])
            #expect(results.map(\.backend) == ["llama.cpp", "unknown", "llama.cpp"])
            #expect(results.map(\.size) == [7, 0, 9])
            #expect(results.map(\.downloads) == [1_234_567, 3, 45000])
            #expect(
                fake.requests.contains {
                    $0.path == "/api/models?apps=vllm,llama.cpp&sort=downloads&direction=-1&limit=10&search=small"
                })
            let few = try await ModelSearch(sources(docker, hub)).run("", limit: 2)
            #expect(few.results.count == 2)
        }
    }

    @Test func oneSourceThatFailsIsAWarning() async throws {
        try await run { fake, docker, hub in
            fake.fail("/v2/repositories", with: .status(503))
            let (results, warnings) = try await ModelSearch(sources(docker, hub)).run("", limit: 10)
            #expect(results.map(\.name) == ["hf.co/Org/Repo"])
            #expect(warnings.count == 1 && warnings[0].hasPrefix("cannot search Docker Hub: 127.0.0.1"))
            fake.fail("/api/models", with: .html)
            let failure = await #expect(throws: Failure.self) {
                try await ModelSearch(sources(docker, hub)).run("", limit: 10)
            }
            #expect(failure?.message.contains("Docker Hub") == true && failure?.message.contains("HuggingFace") == true)
        }
    }

    @Test func followsPagesOfItsOwnHostOnly() async throws {
        try await run { fake, docker, _ in
            fake.answer("/v2/repositories/ai/", Self.page.replacing("%NEXT%", with: "\"\(fake.endpoint)/v2/more\""))
            fake.answer("/v2/more", Self.page.replacing("%NEXT%", with: "null"))
            let found = try await docker.search("small", limit: 3)
            #expect(found.count == 3)
            fake.answer("/v2/more", Self.page.replacing("%NEXT%", with: "\"http://localhost:\(fake.port)/v2/more\""))
            let failure = await #expect(throws: Failure.self) { try await docker.search("", limit: 100) }
            #expect(failure?.code == .corrupted)
        }
    }
}
