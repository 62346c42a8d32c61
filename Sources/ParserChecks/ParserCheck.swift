internal import Core
internal import MCP
internal import ModelStore
internal import NIOCore
internal import OCI
package import SystemPackage

/// Gives any bytes to one of the parsers of what comes from outside, and looks at what it makes of them. The tests'
/// mutations and the fuzzer come this way.
package enum ParserCheck: String, Sendable, CaseIterable {
    case reference
    case manifest
    case config
    case parameters
    case modelfile
    case json
    case gguf
    case safetensors
    case tar
    case gzip
    case envelope
    case header
    case parameterHeaders
    case requestState
    case schema
    case request
    case stream

    /// Something that must never be so.
    package struct Violation: Error, CustomStringConvertible {
        package let description: String
    }

    /// Refusing the bytes is as good as taking them.
    ///
    /// - Parameters:
    ///   - scratch: a file that may be overwritten, for parsers that read files.
    /// - Returns: whether they were taken.
    /// - Throws: `Violation`, or whatever else a parser throws that is no `Failure`.
    @discardableResult
    package func run(_ bytes: [UInt8], scratch: FilePath) throws -> Bool {
        do {
            switch self {
            case .reference: try Self.reference(bytes)
            case .manifest: try Self.manifest(bytes)
            case .config: try Self.config(bytes)
            case .parameters: try Self.parameters(bytes)
            case .modelfile: _ = try Modelfile(parsing: ByteBuffer(bytes: bytes))
            case .json: try Self.json(bytes)
            case .gguf: try Self.gguf(bytes, scratch)
            case .safetensors: try Self.safetensors(bytes, scratch)
            case .tar: try Self.tar(bytes)
            case .gzip: try Self.gzip(bytes)
            case .envelope: try Self.envelope(bytes)
            case .header: try Self.header(bytes)
            case .parameterHeaders: try Self.parameterHeaders(bytes)
            case .requestState: try Self.requestState(bytes)
            case .schema: try Self.schema(bytes)
            case .request: try Self.request(bytes)
            case .stream: try Self.stream(bytes)
            }
            return true
        } catch is Failure { return false } catch is RPC.Error { return false }
    }

    static func require(_ condition: Bool, _ what: String) throws {
        if !condition { throw Violation(description: what) }
    }

    private static func reference(_ bytes: [UInt8]) throws {
        let text = String(decoding: bytes, as: UTF8.self)
        let name = try ModelReference(parsing: text)
        if !name.isOnlyID {
            try require(
                try ModelReference(parsing: name.canonical).canonical == name.canonical, "another name: \(text)")
        }
        // Stricter: capitals are made small for people's names only.
        guard let reference = try? Reference(parsing: text) else { return }
        try require(try Reference(parsing: reference.description) == reference, "another reference: \(text)")
        try require(!reference.repository.contains(".."), "a path that leads up: \(text)")
    }

    private static func manifest(_ bytes: [UInt8]) throws {
        let manifest = try Manifest(parsing: ByteBuffer(bytes: bytes))
        try require(manifest.layersSize >= 0, "a negative size")
        let again = Manifest(config: manifest.config, layers: manifest.layers, annotations: manifest.annotations)
        let parsed = try Manifest(parsing: again.raw)
        try require(parsed.layers == manifest.layers && parsed.annotations == manifest.annotations, "other layers")
        _ = ArtifactFormat(manifest)
    }

    private static func config(_ bytes: [UInt8]) throws {
        let config = try ModelConfig(parsing: ByteBuffer(bytes: bytes))
        let again = try ModelConfig(parsing: config.document(layers: []))
        try require(again.json == config.json, "a configuration that does not come back")
        try require(config.contextSize.map { $0 > 0 } ?? true, "an impossible context size")
    }

    private static func parameters(_ bytes: [UInt8]) throws {
        let parameters = try ModelParameters(parsing: ByteBuffer(bytes: bytes))
        for (name, text) in parameters.launch {
            try require(Double(text)?.isFinite == true, "\(name) is no number: \(text)")
        }
        try require(try ModelParameters(parsing: parameters.json.bytes) == parameters, "other parameters")
        try require(parameters.stop.count <= 16, "too many stops")
    }

    private static func json(_ bytes: [UInt8]) throws {
        let raw = try? RawJSON(checking: ByteBuffer(bytes: bytes))
        let json: JSON
        do { json = try JSON(parsing: bytes) } catch {
            try require(raw == nil, "one scanner takes what the other refuses")
            throw error
        }
        guard let raw else { throw Violation(description: "one scanner refuses what the other takes") }
        try require(try raw.parsed() == json, "another value")
        try require(try JSON(parsing: json.text) == json, "a value that does not come back")
        let member = try JSON(parsing: raw.replacing("x", with: RawJSON(true)).buffer)["x"]
        try require(!raw.isObject || member == true, "a member that was not put in")
    }

    private static func gguf(_ bytes: [UInt8], _ scratch: FilePath) throws {
        try write(bytes, scratch)
        let file = try GGUF(reading: scratch)
        try require(file.fileSize == bytes.count && file.dataSize <= bytes.count, "impossible sizes")
        try require(file.tensorCount <= bytes.count / 24, "impossible number of tensors")
        let texts = file.metadata.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        try require(texts <= 1 << 20, "too much metadata")
        _ = (file.parametersText, file.content, file.contextLength)
    }

    private static func safetensors(_ bytes: [UInt8], _ scratch: FilePath) throws {
        try write(bytes, scratch)
        let file = try Safetensors(reading: scratch)
        try require(file.dataSize < bytes.count, "impossible size")
        try require(file.types.values.reduce(0, +) == file.parameters, "impossible number of parameters")
        _ = Safetensors.quantization(file.types)
    }

    private static func write(_ bytes: [UInt8], _ file: FilePath) throws {
        let descriptor = try FileDescriptor.open(
            file, .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: .ownerReadWrite)
        try descriptor.closeAfter { _ = try descriptor.writeAll(bytes) }
    }

    private static func tar(_ bytes: [UInt8]) throws {
        var reader = TarReader()
        reader.append(ByteBuffer(bytes: bytes))
        var left: Int64 = 0
        var count = 0
        while let event = try reader.next() {
            switch event {
            case .entry(let entry):
                count += 1
                try require(left == 0 && entry.size >= 0, "an entry within an entry")
                left = entry.size
            case .data(let data):
                left -= Int64(data.readableBytes)
                try require(left >= 0 && data.readableBytes > 0, "more bytes than the entry has")
            }
        }
        try require(count <= bytes.count / 512, "more entries than blocks")
        try reader.finish()
        try require(left == 0, "fewer bytes than the entry has")
    }

    private static func gzip(_ bytes: [UInt8]) throws {
        let gunzip = try Gunzip()
        gunzip.append(ByteBuffer(bytes: bytes))
        var count = 0
        while let plain = try gunzip.next() {
            try require((1...(256 << 10)).contains(plain.readableBytes), "a piece of an impossible size")
            count += plain.readableBytes
            // Deflate's own limit, and a little for what is short.
            try require(count <= bytes.count * 1040 + 1024, "more bytes than can be in there")
        }
        try gunzip.finish()
    }
}
