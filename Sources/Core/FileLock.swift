package import SystemPackage

/// An advisory lock on a file, held across processes until released or the process ends.
package struct FileLock: ~Copyable, Sendable {
    private let descriptor: FileDescriptor

    private init(_ descriptor: FileDescriptor) { self.descriptor = descriptor }

    /// - Returns: nil when `wait` is false and somebody else holds it.
    package static func acquire(_ path: FilePath, exclusive: Bool = true, wait: Bool = true) throws -> FileLock? {
        try Files.wrap("cannot lock \(path)") {
            let descriptor = try FileDescriptor.open(
                path, .readWrite, options: [.create, .closeOnExec], permissions: [.ownerReadWrite])
            do {
                if try POSIX.lock(descriptor, exclusive: exclusive, wait: wait) { return FileLock(descriptor) }
                try? descriptor.close()
                return nil
            } catch {
                try? descriptor.close()
                throw error
            }
        }
    }

    /// Says in the file who holds the lock, in place of what an earlier holder has said.
    package borrowing func note(_ text: String) throws {
        try POSIX.truncate(descriptor, to: 0)
        try descriptor.writeAll(toAbsoluteOffset: 0, text.utf8)
    }

    deinit { try? descriptor.close() }
}
