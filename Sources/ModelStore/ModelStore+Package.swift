package import Core
internal import NIOCore
internal import OCI
package import SystemPackage

extension ModelStore {
    private static let maximumText: Int64 = 16 << 20

    /// Makes a model from a GGUF file and gives it a name.
    ///
    /// Equal input gives an equal id: the only time in it is `created`, else `SOURCE_DATE_EPOCH` (seconds since 1970),
    /// else the GGUF file's own time; modes and owners are fixed.
    ///
    /// - Throws: `.corrupted` when the file is no GGUF file; `.unsupported` for one part of a split model; `.notFound`.
    @discardableResult
    package func package(
        gguf file: FilePath, as name: ModelReference, contextSize: Int? = nil, licences: [FilePath] = [],
        chatTemplate: FilePath? = nil, created: Timestamp? = nil
    ) async throws -> Model {
        let tag = try Self.tagName(name)
        if let contextSize, contextSize < 1 || contextSize > Int(Int32.max) {
            throw Failure(.invalidArgument, "the context size \(contextSize) is not a positive number of tokens")
        }
        let head = try GGUF(reading: file)
        guard head.parts == 1 else {
            throw Failure(
                .unsupported, "\(file) is one of \(head.parts) parts of a model",
                advice: "Join them with llama-gguf-split --merge first")
        }
        guard head.tensorCount > 0 else { throw Failure(.corrupted, "\(file) holds no weights") }
        let time = try created ?? Self.sourceDate() ?? Timestamp(seconds: POSIX.status(file).modified)

        var layers = [try await layer(file, MediaType.gguf, time)]
        if let chatTemplate { layers.append(try await text(chatTemplate, MediaType.chatTemplate, time)) }
        for licence in licences { layers.append(try await text(licence, MediaType.license, time)) }
        let config = ModelConfig(head, created: time, contextSize: contextSize)
        let document = config.document(layers: layers.map(\.digest))
        let manifest = Manifest(
            config: Descriptor(
                mediaType: MediaType.modelConfig, digest: try blobs.store(document),
                size: Int64(document.readableBytes)),
            layers: layers)
        guard let model = try register(manifest, tag: tag) else {
            throw Failure(.conflict, "the files of \(name.display) were removed while it was packaged")
        }
        return model
    }

    private static func sourceDate() -> Timestamp? {
        POSIX.environmentVariable("SOURCE_DATE_EPOCH").flatMap { Int64($0) }.map { Timestamp(seconds: $0) }
    }

    private func text(_ file: FilePath, _ mediaType: String, _ time: Timestamp) async throws -> Descriptor {
        let size = try Files.wrap("cannot read \(file)") { try POSIX.status(file).size }
        guard size <= Self.maximumText else {
            throw Failure(.resourceExhausted, "\(file) has more than \(ByteCount(Self.maximumText))")
        }
        return try await layer(file, mediaType, time)
    }

    private func layer(_ file: FilePath, _ mediaType: String, _ time: Timestamp) async throws -> Descriptor {
        let (digest, size) = try await blobs.store(file: file)
        let name = file.lastComponent?.string ?? "file"
        let metadata: JSON = [
            "name": .string(name), "mode": 0o644, "uid": 0, "gid": 0, "size": .int(size),
            "mtime": .string(time.rfc3339), "typeflag": 0,
        ]
        return Descriptor(
            mediaType: mediaType, digest: digest, size: size,
            annotations: [
                Annotation.filePath: name, Annotation.fileMetadata: metadata.text,
                Annotation.mediaTypeUntested: "false",
            ])
    }
}
