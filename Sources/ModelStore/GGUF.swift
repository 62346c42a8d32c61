internal import Core
package import SystemPackage

/// What the head of a GGUF file says: metadata and the list of tensors, never the weights.
package struct GGUF: Sendable {
    package let version: UInt32
    /// Scalars and short lists as texts; long lists and very long texts are left out.
    package let metadata: [String: String]
    package let tensorCount: Int
    /// Elements of all tensors together.
    package let parameters: UInt64
    /// Bytes from the first tensor to the end of the file.
    package let dataSize: Int64
    package let fileSize: Int64

    package var architecture: String? { metadata["general.architecture"] }
    package var quantization: String? {
        metadata["general.file_type"].flatMap { Int($0) }.flatMap { Self.fileTypes[$0] }
    }

    /// Tokens the model was trained for.
    package var contextLength: Int? {
        architecture.flatMap { metadata["\($0).context_length"] }.flatMap { Int($0) }
    }

    /// Files the model is split into; 1 for a whole one.
    package var parts: Int { metadata["split.count"].flatMap { Int($0) } ?? 1 }

    /// `361.82M`
    package var parametersText: String { ParameterCount.text(parameters) }

    /// What kind of file it is.
    package enum Content: Sendable, Hashable {
        case model
        /// A LoRA adapter, to be put on a model.
        case adapter
        /// What brings pictures and sounds into a model's terms.
        case projector
    }

    package var content: Content {
        switch metadata["general.type"] {
        case "adapter": .adapter
        case "mmproj": .projector
        default: architecture == "clip" ? .projector : .model
        }
    }

    /// Reads the head of a file.
    ///
    /// - Throws: `.notFound` and the like; `.corrupted` "FILE is not a GGUF file (why)".
    package init(reading path: FilePath) throws {
        guard try Files.wrap("cannot read \(path)", { try POSIX.status(path) }).isRegular else {
            throw Failure(.invalidArgument, "\(path) is not a regular file")
        }
        let descriptor = try Files.wrap("cannot read \(path)") {
            try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
        }
        defer { try? descriptor.close() }
        do {
            var scanner = try GGUFScanner(descriptor)
            self = try GGUF(&scanner)
        } catch let problem as GGUFScanner.Problem {
            throw Failure(
                .corrupted, "\(path) is not a GGUF file (\(problem.reason))",
                advice: "Give the path of a model in GGUF format, downloaded completely")
        }
    }

    private init(_ scanner: inout GGUFScanner) throws {
        guard try scanner.bytes(4).elementsEqual("GGUF".utf8) else {
            throw scanner.problem("it does not begin with GGUF")
        }
        version = try scanner.integer()
        guard version == 2 || version == 3 else {
            let isBigEndian = version.byteSwapped == 2 || version.byteSwapped == 3
            throw scanner.problem(isBigEndian ? "big-endian files are not supported" : "unknown version \(version)")
        }
        // Nothing can be counted that has no bytes in the file: a tensor takes 24 at least, a value 13.
        let tensors: UInt64 = try scanner.integer()
        guard tensors <= UInt64(scanner.size) / 24 else { throw scanner.problem("impossible number of tensors") }
        let values: UInt64 = try scanner.integer()
        guard values <= UInt64(scanner.size) / 13 else { throw scanner.problem("impossible number of metadata values") }

        var metadata: [String: String] = [:]
        var room = Self.maximumMetadata
        for _ in 0..<values {
            let key = try scanner.string(limit: 65535) ?? ""
            guard let text = try scanner.value(), text.utf8.count + key.utf8.count <= room else { continue }
            room -= text.utf8.count + key.utf8.count
            metadata[key] = text
        }
        self.metadata = metadata
        var sum: UInt64 = 0
        var list: [GGUFScanner.Tensor] = []
        for _ in 0..<tensors {
            let tensor = try scanner.tensor()
            let (total, overflow) = sum.addingReportingOverflow(tensor.elements)
            guard !overflow else { throw scanner.problem("impossible number of parameters") }
            sum = total
            list.append(tensor)
        }
        let alignment = metadata["general.alignment"].map { Int64($0) ?? 0 } ?? 32
        guard alignment > 0, alignment <= 1 << 20, alignment & (alignment - 1) == 0 else {
            throw scanner.problem("impossible alignment")
        }
        let start = (scanner.position + alignment - 1) / alignment * alignment
        dataSize = max(0, scanner.size - start)
        for tensor in list where !tensor.fits(in: UInt64(dataSize)) { throw scanner.problem("it is cut off") }
        parameters = sum
        tensorCount = list.count
        fileSize = scanner.size
    }

    /// Bytes of metadata texts that are kept; a configuration must stay small enough to be read back.
    private static let maximumMetadata = 1 << 20
}
