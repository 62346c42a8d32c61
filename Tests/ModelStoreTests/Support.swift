import AsyncHTTPClient
import Core
import ModelStore
import NIOCore
import OCI
import Synchronization
import SystemPackage
import TestSupport

/// The real, small model that lies in the repository.
let pebble = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
    .appending("Models/pebble/pebble-1m-q8_0.gguf")

/// A fixed time, so that ids do not depend on when the repository was checked out.
let someTime = Timestamp(seconds: 1_700_000_000)

func withTemporaryDirectory<R>(_ body: (FilePath) async throws -> R) async throws -> R {
    let path = try Files.makeTemporaryDirectory(prefix: "wharf-store-")
    defer { try? Files.remove(path) }
    return try await body(path)
}

func withStore<R>(_ body: (ModelStore) async throws -> R) async throws -> R {
    try await withTemporaryDirectory { root in try await body(ModelStore(root: root)) }
}

func withRegistry(_ body: (FakeRegistry, Registry) async throws -> Void) async throws {
    try await FakeRegistry.run { fake in
        try await HTTPClient.withHTTPClient(configuration: Registry.clientConfiguration) { client in
            try await body(
                fake,
                Registry(
                    client: client, environment: Paths(environment: [:]), userAgent: "wharf-tests/1", pause: { _ in }))
        }
    }
}

/// The files below a folder, but for folders and the lock.
func files(_ root: FilePath) throws -> [String] {
    try POSIX.list(root).flatMap { name -> [String] in
        let path = root.appending(name)
        guard try POSIX.status(path).isDirectory else { return name == ".wharf.lock" ? [] : [name] }
        return try files(path).map { "\(name)/\($0)" }
    }
}

extension FakeRegistry {
    struct Layer {
        var bytes: ByteBuffer
        var type = MediaType.gguf
        var path: String?
    }

    @discardableResult
    func publish(
        _ layers: [Layer], _ repository: String, tag: String = "latest", configType: String = MediaType.modelConfig,
        config: String = "{\"config\":{\"format\":\"gguf\"},\"descriptor\":{\"created\":\"2026-01-02T03:04:05Z\"}}"
    ) throws -> Manifest {
        let manifest = Manifest(
            config: try descriptor(Layer(bytes: ByteBuffer(string: config), type: configType)),
            layers: try layers.map { try descriptor($0) })
        add(manifest: manifest.raw, repository: repository, tag: tag)
        return manifest
    }

    private func descriptor(_ layer: Layer) throws -> Descriptor {
        Descriptor(
            mediaType: layer.type, digest: try Digest(parsing: add(blob: layer.bytes)),
            size: Int64(layer.bytes.readableBytes),
            annotations: layer.path.map { [Annotation.filePath: $0] } ?? [:])
    }
}

/// What closures that may run anywhere have been told.
final class Collected<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])

    var all: [Element] { elements.withLock { $0 } }
    func append(_ element: Element) { elements.withLock { $0.append(element) } }
}
