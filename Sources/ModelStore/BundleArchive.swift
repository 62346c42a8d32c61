internal import Core
internal import NIOCore
internal import OCI
internal import SystemPackage

/// Unpacks layers that are archives into a bundle, or looks whether they could be. Files and folders only: nothing in
/// them can point anywhere.
struct BundleArchive {
    static let maximumFiles = 16_384

    /// nil only looks.
    private let folder: FilePath?
    private var names: BundlePath.Names
    private var files = 0

    /// - Parameters:
    ///   - folder: the bundle's folder; nil writes nothing.
    ///   - names: what is there already, which an archive may not replace.
    init(into folder: FilePath?, besides names: BundlePath.Names) {
        self.folder = folder
        self.names = names
    }

    /// - Parameter path: where the archive is.
    /// - Throws: `.corrupted` for what is no such archive, names that clash or lead out; `.unsupported` for links and
    ///   devices; `.resourceExhausted` for too many files, a bomb, or a full disk.
    mutating func unpack(_ archive: Descriptor, at path: FilePath) throws {
        let reader = try ArchiveReader(path, size: archive.size, isPacked: archive.kind == .packedArchive)
        var output: SystemPackage.FileDescriptor?
        defer { try? output?.close() }
        while let event = try reader.next() {
            switch event {
            case .entry(let entry):
                let done = output
                output = nil
                try done?.close()
                output = try begin(entry)
                if folder == nil { try reader.skip() }
            case .data(let data):
                guard let output else { continue }
                try Files.wrap("cannot unpack \(path)") {
                    _ = try data.withUnsafeReadableBytes { try output.writeAll($0) }
                }
            }
        }
    }

    /// Opens the file an entry announces; nil for a folder, and where nothing is written.
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
            let checked = try BundlePath.checked(String(name))
            if let folder { try Files.makeDirectory(BundlePath.place(checked, in: folder)) }
            return nil
        }
        let checked = try BundlePath.checked(String(name))
        try names.take(checked)
        guard let folder else { return nil }
        let path = BundlePath.place(checked, in: folder)
        try Files.makeDirectory(path.removingLastComponent())
        return try Files.wrap("cannot unpack \(path)") {
            try SystemPackage.FileDescriptor.open(
                path, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec, .noFollow],
                permissions: FilePermissions(rawValue: 0o644))
        }
    }
}

extension ModelStore {
    /// Whether a model's archives could be unpacked, once they are there: those who bring hostile ones are refused before
    /// the model is known.
    ///
    /// - Throws: what `BundleArchive.unpack` throws.
    func checkArchives(_ manifest: Manifest) throws {
        let archives = manifest.layers.filter(\.kind.isArchive)
        if archives.isEmpty { return }
        var check = BundleArchive(into: nil, besides: try BundlePlan.names(manifest))
        for archive in archives { try check.unpack(archive, at: blobs.path(of: archive.digest)) }
    }
}
