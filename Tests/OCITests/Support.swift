import AsyncHTTPClient
import Core
import NIOCore
import OCI
import Synchronization
import SystemPackage
import TestSupport
import Testing

func withTemporaryDirectory<R>(_ body: (FilePath) async throws -> R) async throws -> R {
    let path = try Files.makeTemporaryDirectory(prefix: "wharf-oci-")
    defer { try? Files.remove(path) }
    return try await body(path)
}

/// A fake registry and a client for it.
func withRegistry(
    environment: [String: String] = [:], smallAnswerLimit: Duration = .seconds(60),
    _ body: (FakeRegistry, Registry) async throws -> Void
) async throws {
    try await FakeRegistry.run { fake in
        try await HTTPClient.withHTTPClient(configuration: Registry.clientConfiguration) { client in
            try await body(
                fake,
                Registry(
                    client: client, environment: Paths(environment: environment), userAgent: "wharf-tests/1",
                    smallAnswerLimit: smallAnswerLimit, pause: Pauses().take))
        }
    }
}

extension FakeRegistry {
    /// Puts an artifact of these layers there.
    func publish(_ layers: [ByteBuffer], _ repository: String, tag: String) throws -> Manifest {
        let config = ByteBuffer(string: "{\"config\":{\"format\":\"gguf\"}}")
        let manifest = Manifest(
            config: try descriptor(config, MediaType.modelConfig),
            layers: try layers.map { try descriptor($0, MediaType.gguf) })
        add(manifest: manifest.raw, repository: repository, tag: tag)
        return manifest
    }

    private func descriptor(_ bytes: ByteBuffer, _ type: String) throws -> Descriptor {
        Descriptor(mediaType: type, digest: try Digest(parsing: add(blob: bytes)), size: Int64(bytes.readableBytes))
    }
}

/// The files below a folder, but for folders.
func files(_ root: FilePath) throws -> [String] {
    try POSIX.list(root).flatMap { name -> [String] in
        let path = root.appending(name)
        guard try POSIX.status(path).isDirectory else { return [name] }
        return try files(path).map { "\(name)/\($0)" }
    }
}

/// Waits for nothing and remembers what it was asked to wait for.
final class Pauses: Sendable {
    private let all = Mutex<[Duration]>([])
    var taken: [Duration] { all.withLock { $0 } }
    @Sendable func take(_ duration: Duration) async throws { all.withLock { $0.append(duration) } }
}

/// A server that answers by a script and a client for it that waits for nothing.
func withScript(
    _ script: @escaping ScriptedServer.Script = { _ in .http(404) }, environment: [String: String] = [:],
    _ body: (ScriptedServer, Registry, Pauses) async throws -> Void
) async throws {
    try await ScriptedServer.run(script) { server in
        try await HTTPClient.withHTTPClient(configuration: Registry.clientConfiguration) { client in
            let pauses = Pauses()
            let paths = Paths(environment: ["HOME": "/nonexistent"].merging(environment) { $1 })
            try await body(
                server, Registry(client: client, environment: paths, userAgent: "wharf-tests/1", pause: pauses.take),
                pauses)
        }
    }
}

/// A folder with docker's `config.json`.
func withDockerConfig(_ text: String, _ body: ([String: String]) async throws -> Void) async throws {
    try await withTemporaryDirectory { folder in
        try Files.write(ByteBuffer(string: text), to: folder.appending("config.json"))
        try await body(["DOCKER_CONFIG": folder.string])
    }
}

/// A small manifest, as a registry has it.
enum Sample {
    static let manifest = Manifest(
        config: Descriptor(
            mediaType: MediaType.modelConfig, digest: .sha256(of: ByteBuffer(string: "{}")), size: 2), layers: [])
    static var text: String { String(buffer: manifest.raw) }
}

/// Expects the sample's manifest under a reference.
func expectSample(
    _ registry: Registry, _ reference: Reference, sourceLocation: SourceLocation = #_sourceLocation
) async throws {
    let manifest = try await registry.resolve(reference)
    #expect(manifest == Sample.manifest, sourceLocation: sourceLocation)
}
