package import NIOCore
package import SystemPackage

/// Whole files: read with a bound, written so that a crash leaves the old or the new content, never a part.
package enum Files {
    package static func exists(_ path: FilePath) -> Bool { (try? POSIX.status(path)) != nil }

    /// Reads a whole file.
    ///
    /// - Throws: `.notFound`; `.resourceExhausted` when it is larger than `limit` bytes.
    package static func read(_ path: FilePath, limit: Int = 16 << 20) throws -> ByteBuffer {
        try wrap("cannot read \(path)") {
            let size = try POSIX.status(path).size
            guard size <= limit else {
                throw Failure(
                    .resourceExhausted, "it has \(ByteCount(size)), more than \(ByteCount(limit)) are not read")
            }
            let descriptor = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
            return try descriptor.closeAfter {
                var buffer = ByteBuffer()
                while true {
                    let count = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 64 << 10) {
                        try descriptor.read(into: UnsafeMutableRawBufferPointer($0))
                    }
                    if count == 0 { return buffer }
                    guard buffer.readableBytes <= limit else {
                        throw Failure(.resourceExhausted, "more than \(ByteCount(limit)) are not read")
                    }
                }
            }
        }
    }

    /// Writes through a temporary file in the same folder, synchronised, then renamed over the old one.
    package static func write(_ bytes: ByteBuffer, to path: FilePath, mode: UInt16 = 0o644) throws {
        let temporary = path.removingLastComponent().appending(
            ".\(path.lastComponent?.string ?? "file").\(unique()).tmp")
        try wrap("cannot write \(path)") {
            do {
                let descriptor = try FileDescriptor.open(
                    temporary, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
                    permissions: FilePermissions(rawValue: CModeT(mode)))
                try descriptor.closeAfter {
                    _ = try bytes.withUnsafeReadableBytes { try descriptor.writeAll($0) }
                    try POSIX.synchronize(descriptor)
                }
                try POSIX.rename(temporary, to: path)
                try synchronizeDirectory(path.removingLastComponent())
            } catch {
                try? POSIX.removeFile(temporary)
                throw error
            }
        }
    }

    /// Makes a folder and those above it; one that is there is fine.
    package static func makeDirectory(_ path: FilePath, mode: UInt16 = 0o755) throws {
        if (try? POSIX.status(path))?.isDirectory == true { return }
        try wrap("cannot make the folder \(path)") {
            let parent = path.removingLastComponent()
            if !parent.isEmpty && parent != path { try makeDirectory(parent, mode: 0o755) }
            do { try POSIX.makeDirectory(path, mode: mode) } catch Errno.fileExists {
                guard (try? POSIX.status(path))?.isDirectory == true else {
                    throw Failure(.conflict, "a file is in the way")
                }
            }
        }
    }

    /// Removes a file or a folder with all in it; what is not there is fine. Links are removed, not followed.
    package static func remove(_ path: FilePath) throws {
        try wrap("cannot remove \(path)") {
            do {
                if try POSIX.status(path, following: false).isDirectory {
                    for name in try POSIX.list(path) { try remove(path.appending(name)) }
                    try POSIX.removeDirectory(path)
                } else {
                    try POSIX.removeFile(path)
                }
            } catch Errno.noSuchFileOrDirectory {}
        }
    }

    /// Makes a rename in the folder survive a power cut.
    package static func synchronizeDirectory(_ path: FilePath) throws {
        let directory = path.isEmpty ? FilePath(".") : path
        let descriptor = try FileDescriptor.open(directory, .readOnly, options: [.directory, .closeOnExec])
        try descriptor.closeAfter { try POSIX.synchronize(descriptor) }
    }

    /// A new private folder below `parent`, or below the temporary folder.
    package static func makeTemporaryDirectory(prefix: String, in parent: FilePath? = nil) throws -> FilePath {
        let path = (parent ?? Paths.temporary).appending("\(prefix)\(unique())")
        try makeDirectory(path, mode: 0o700)
        return path
    }

    /// A short name that nobody else has.
    package static func unique() -> String {
        String(UInt64.random(in: .min ... .max), radix: 36)
    }

    /// Turns an `Errno` into a `Failure` that says what was being done.
    package static func wrap<R: ~Copyable>(_ what: String, _ body: () throws -> R) throws -> R {
        do { return try body() } catch let error as Errno {
            let code: Failure.Code =
                switch error {
                case .noSuchFileOrDirectory, .notDirectory: .notFound
                case .permissionDenied, .notPermitted: .forbidden
                case .noSpace, .diskQuotaExceeded, .tooManyOpenFiles: .resourceExhausted
                case .fileExists: .alreadyExists
                default: .internalError
                }
            throw Failure(code, what, cause: error)
        } catch let failure as Failure {
            throw failure.during(what)
        }
    }
}
