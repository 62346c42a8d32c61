import AsyncHTTPClient
import Core
import ModelStore
import NIOCore
import OCI
import TestSupport
import Testing

@Suite struct MountTests {
    /// A model that came from a repository of a registry goes to another one there without being sent.
    @Test func whatTheRegistryHasElsewhereIsNotSent() async throws {
        let config = ByteBuffer(string: #"{"config":{"format":"gguf"}}"#)
        let layer = ByteBuffer(repeating: 7, count: 5000)
        let manifest = Manifest(
            config: descriptor(config, MediaType.modelConfig), layers: [descriptor(layer, MediaType.gguf)])
        let blobs = [config, layer].reduce(into: [:]) { $0[Digest.sha256(of: $1).description] = String(buffer: $1) }
        let script: ScriptedServer.Script = { request in
            let name = request.path.split(separator: "/").last.map(String.init) ?? ""
            switch (request.method, request.path.contains("/manifests/")) {
            case ("GET", true): return .http(200, [("Content-Type", MediaType.manifest)], String(buffer: manifest.raw))
            case ("GET", false): return blobs[name].map { .http(200, [], $0) } ?? .http(404)
            case ("POST", _): return .http(request.parameter("from") == "ai/a" ? 201 : 500)
            case ("PUT", true): return .http(201)
            default: return .http(404)
            }
        }
        try await ScriptedServer.run(script) { server in
            try await HTTPClient.withHTTPClient(configuration: Registry.clientConfiguration) { client in
                let registry = Registry(client: client, environment: Paths(environment: [:]), userAgent: "tests")
                try await withStore { store in
                    let source = try ModelReference(parsing: "\(server.address)/ai/a")
                    let target = try ModelReference(parsing: "\(server.address)/ai/b")
                    try await store.pull(source, from: registry)
                    _ = try store.tag(source.canonical, as: target)
                    server.forgetRequests()
                    try await store.push(target, to: registry)
                    let begun = server.requests.filter { $0.method == "POST" }
                    #expect(begun.count == 2)
                    #expect(begun.allSatisfy { $0.path == "/v2/ai/b/blobs/uploads/" })
                    #expect(Set(begun.compactMap { $0.parameter("mount") }) == Set(blobs.keys))
                    #expect(server.requests.last?.line == "PUT /v2/ai/b/manifests/latest")
                }
            }
        }
    }

    private func descriptor(_ bytes: ByteBuffer, _ type: String) -> Descriptor {
        Descriptor(mediaType: type, digest: .sha256(of: bytes), size: Int64(bytes.readableBytes))
    }
}
