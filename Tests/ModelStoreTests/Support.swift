import AsyncHTTPClient
import Core
import ModelStore
import NIOCore
import OCI
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
                fake, Registry(client: client, environment: Paths(environment: [:]), userAgent: "wharf-tests/1"))
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

/// Writes GGUF heads by hand.
struct GGUFWriter {
    var bytes = ByteBuffer()

    init(version: UInt32 = 3, tensors: UInt64 = 0, values: UInt64 = 0) {
        bytes.writeString("GGUF")
        number(version)
        number(tensors)
        number(values)
    }

    mutating func number(_ value: some FixedWidthInteger) { bytes.writeInteger(value, endianness: .little) }

    mutating func text(_ text: String) {
        number(UInt64(text.utf8.count))
        bytes.writeString(text)
    }

    mutating func value(_ key: String, _ text: String) {
        self.text(key)
        number(UInt32(8))
        self.text(text)
    }

    mutating func value(_ key: String, _ value: UInt32) {
        text(key)
        number(UInt32(4))
        number(value)
    }

    mutating func tensor(_ name: String, _ dimensions: [UInt64], type: UInt32 = 0, offset: UInt64 = 0) {
        text(name)
        number(UInt32(dimensions.count))
        for dimension in dimensions { number(dimension) }
        number(type)
        number(offset)
    }
}
