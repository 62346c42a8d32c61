internal import Core
package import NIOCore
package import SystemPackage

/// A file's bytes in pieces of up to a mebibyte, read when asked for; every iteration starts anew.
package struct FileChunks: AsyncSequence, Sendable {
    package typealias Element = ByteBuffer

    private let path: FilePath
    private let progress: @Sendable (Int64) async throws -> Void

    package static let chunk = 1 << 20

    /// - Parameter progress: told the bytes given out so far, after each piece is asked for.
    package init(_ path: FilePath, progress: @escaping @Sendable (Int64) async throws -> Void = { _ in }) {
        self.path = path
        self.progress = progress
    }

    package func makeAsyncIterator() -> Iterator { Iterator(path: path, progress: progress) }

    package struct Iterator: AsyncIteratorProtocol {
        fileprivate let path: FilePath
        fileprivate let progress: @Sendable (Int64) async throws -> Void
        private var file: OpenFile?
        private var count: Int64 = 0

        fileprivate init(path: FilePath, progress: @escaping @Sendable (Int64) async throws -> Void) {
            self.path = path
            self.progress = progress
        }

        package mutating func next() async throws -> ByteBuffer? {
            try Task.checkCancellation()
            let file = try self.file ?? OpenFile(path)
            self.file = file
            let buffer = try file.read(FileChunks.chunk)
            guard buffer.readableBytes > 0 else { return nil }
            count += Int64(buffer.readableBytes)
            try await progress(count)
            return buffer
        }
    }
}

/// Closes its descriptor with its last owner.
private final class OpenFile: Sendable {
    private let path: FilePath
    private let descriptor: SystemPackage.FileDescriptor

    init(_ path: FilePath) throws {
        self.path = path
        descriptor = try Files.wrap("cannot read \(path)") {
            try SystemPackage.FileDescriptor.open(path, .readOnly, options: .closeOnExec)
        }
    }

    func read(_ count: Int) throws -> ByteBuffer {
        var buffer = ByteBuffer()
        try Files.wrap("cannot read \(path)") {
            _ = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) {
                try descriptor.read(into: UnsafeMutableRawBufferPointer(rebasing: $0.prefix(count)))
            }
        }
        return buffer
    }

    deinit { try? descriptor.close() }
}
