internal import Core
package import NIOCore

/// An image manifest: one configuration and the layers, with the bytes it came in, because its digest is theirs.
package struct Manifest: Hashable, Sendable {
    package let mediaType: String
    package let artifactType: String?
    package let config: Descriptor
    package let layers: [Descriptor]
    package let annotations: [String: String]
    package let raw: ByteBuffer
    /// The SHA-256 of `raw`; a model's id.
    package let digest: Digest

    package static let maximumBytes = 4 << 20
    package static let maximumLayers = 4096
    /// More than any layer has, its annotations counted.
    private static let valuesPerLayer = 64

    /// - Throws: `.corrupted` when the bytes are no manifest; `.unsupported` for an index of several images.
    package init(parsing raw: ByteBuffer) throws {
        guard raw.readableBytes <= Self.maximumBytes else {
            throw Failure(.corrupted, "the manifest is larger than \(ByteCount(Self.maximumBytes))")
        }
        // Looked at before a tree is made of it, which could be twenty times as large.
        let commas = raw.withUnsafeReadableBytes { bytes in
            var count = 0
            for byte in bytes where byte == UInt8(ascii: ",") { count += 1 }
            return count
        }
        guard commas <= Self.maximumLayers * Self.valuesPerLayer else {
            throw Failure(.corrupted, "the manifest has more than \(Self.maximumLayers) layers")
        }
        let json: JSON
        do { json = try JSON(parsing: raw) } catch {
            throw Failure(.corrupted, "the manifest is not JSON", cause: error)
        }
        mediaType = json["mediaType"]?.string ?? MediaType.manifest
        if json["manifests"] != nil || [MediaType.index, MediaType.dockerManifestList].contains(mediaType) {
            throw Failure(.unsupported, "this is an index of several images, not a model")
        }
        guard json["schemaVersion"]?.int == 2, let config = json["config"], let layers = json["layers"]?.array else {
            throw Failure(.corrupted, "the manifest lacks schemaVersion 2, config or layers")
        }
        guard layers.count <= Self.maximumLayers else {
            throw Failure(.corrupted, "the manifest has more than \(Self.maximumLayers) layers")
        }
        self.config = try Descriptor(config)
        self.layers = try layers.map { try Descriptor($0) }
        // A sum that cannot be added up would trap later, where nobody expects it.
        _ = try self.layers.reduce(Int64(0)) { total, layer in
            let (sum, overflow) = total.addingReportingOverflow(layer.size)
            if overflow { throw Failure(.corrupted, "the manifest's layer sizes are impossible") }
            return sum
        }
        artifactType = json["artifactType"]?.string
        annotations = Descriptor.annotations(json["annotations"])
        self.raw = raw
        digest = .sha256(of: raw)
    }

    /// Writes a manifest; equal input gives equal bytes.
    package init(
        config: Descriptor, layers: [Descriptor], artifactType: String? = nil, annotations: [String: String] = [:]
    ) {
        var object = JSON.Object([("schemaVersion", 2), ("mediaType", .string(MediaType.manifest))])
        if let artifactType { object["artifactType"] = .string(artifactType) }
        object["config"] = config.json
        object["layers"] = .array(layers.map(\.json))
        if !annotations.isEmpty { object["annotations"] = Descriptor.json(annotations) }
        mediaType = MediaType.manifest
        self.artifactType = artifactType
        self.config = config
        self.layers = layers
        self.annotations = annotations
        raw = JSON.object(object).bytes
        digest = .sha256(of: raw)
    }

    /// Bytes of all layers together.
    package var layersSize: Int64 { layers.reduce(0) { $0 + $1.size } }
}
