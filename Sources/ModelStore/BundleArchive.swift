internal import Core
internal import NIOCore
internal import OCI
internal import SystemPackage

/// Unpacks a layer that is a tar archive into a bundle. Files and folders only: nothing in it can point anywhere.
struct BundleArchive {
    static let maximumFiles = 16_384
    /// Bytes that are unpacked for one model. They are copies, where everything else in a bundle is a link.
    static let maximumBytes: Int64 = 16 << 30

    private let model: FilePath
    private var names: BundlePath.Names
    private var files = 0
    private var bytes: Int64 = 0

    /// - Parameters:
    ///   - folder: the bundle's folder.
    ///   - names: what is there already, which an archive may not replace.
    init(into folder: FilePath, besides names: BundlePath.Names) {
        model = folder
        self.names = names
    }

    /// - Throws: `.corrupted` for what is no such archive, names that clash or lead out; `.unsupported` for links and
    ///   devices; `.resourceExhausted` for too many files, too many bytes, or a full disk.
    mutating func unpack(_ archive: FilePath) throws {
        let descriptor = try Files.wrap("cannot read \(archive)") {
            try SystemPackage.FileDescriptor.open(archive, .readOnly, options: .closeOnExec)
        }
        defer { try? descriptor.close() }
        var reader = TarReader()
        var output: SystemPackage.FileDescriptor?
        defer { try? output?.close() }
        while true {
            switch try next(&reader) {
            case .entry(let entry):
                let done = output
                output = nil
                try done?.close()
                output = try begin(entry)
            case .data(let data):
                guard let output else { continue }
                bytes += Int64(data.readableBytes)
                guard bytes <= Self.maximumBytes else {
                    throw Failure(
                        .resourceExhausted, "the model's archives hold more than \(ByteCount(Self.maximumBytes))")
                }
                try Files.wrap("cannot unpack \(archive)") {
                    _ = try data.withUnsafeReadableBytes { try output.writeAll($0) }
                }
            case nil:
                var chunk = ByteBuffer()
                let count = try Files.wrap("cannot read \(archive)") {
                    try chunk.writeWithUnsafeMutableBytes(minimumWritableBytes: 1 << 20) {
                        try descriptor.read(into: UnsafeMutableRawBufferPointer(rebasing: $0.prefix(1 << 20)))
                    }
                }
                if count == 0 { return try reader.finish() }
                reader.append(chunk)
            }
        }
    }

    private func next(_ reader: inout TarReader) throws -> TarReader.Event? {
        do { return try reader.next() } catch let failure as Failure {
            throw Failure(failure.code, "the model has an archive that is not unpacked: \(failure.message)")
        }
    }

    /// Opens the file an entry announces; nil for a folder.
    private mutating func begin(_ entry: Tar.Entry) throws -> SystemPackage.FileDescriptor? {
        files += 1
        guard files <= Self.maximumFiles else {
            throw Failure(.resourceExhausted, "the model's archives hold more than \(Self.maximumFiles) files")
        }
        var name = entry.name[...]
        while name.hasPrefix("./") { name = name.dropFirst(2) }
        if entry.isDirectory {
            if name.hasSuffix("/") { name.removeLast() }
            // The archive's own folder says nothing.
            if name.isEmpty || name == "." { return nil }
            try Files.makeDirectory(BundlePath.place(BundlePath.checked(String(name)), in: model))
            return nil
        }
        let checked = try BundlePath.checked(String(name))
        try names.take(checked)
        let path = BundlePath.place(checked, in: model)
        try Files.makeDirectory(path.removingLastComponent())
        return try Files.wrap("cannot unpack \(path)") {
            try SystemPackage.FileDescriptor.open(
                path, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec, .noFollow],
                permissions: FilePermissions(rawValue: 0o644))
        }
    }
}
