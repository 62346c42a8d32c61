import AsyncHTTPClient
import Core
import NIOCore
import OCI
import SystemPackage
import TestSupport

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
                    smallAnswerLimit: smallAnswerLimit))
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
