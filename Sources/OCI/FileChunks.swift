internal import Core
package import NIOCore
package import SystemPackage

/// A file's bytes, or a part of them, in pieces of up to `chunk` bytes, read when asked for; every iteration starts anew.
package struct FileChunks: AsyncSequence, Sendable {
    package typealias Element = ByteBuffer

    private let path: FilePath
    private let range: Range<Int64>
    private let progress: @Sendable (Int64) async throws -> Void

    /// Bytes of a piece: small enough that those which queue up before a slow connection are little.
    package static let chunk = 256 << 10

    /// - Parameters:
    ///   - range: the bytes to give out, to the end where the file has fewer; nil gives out all of them.
    ///   - progress: told where in the file the bytes given out so far end, after each piece is asked for.
    package init(
        _ path: FilePath, range: Range<Int64>? = nil,
        progress: @escaping @Sendable (Int64) async throws -> Void = { _ in }
    ) {
        self.path = path
        self.range = range ?? 0..<Int64.max
        self.progress = progress
    }

    package func makeAsyncIterator() -> Iterator { Iterator(path: path, range: range, progress: progress) }

    package struct Iterator: AsyncIteratorProtocol {
        private let path: FilePath
        private let end: Int64
        private let progress: @Sendable (Int64) async throws -> Void
        private var file: OpenFile?
        private var offset: Int64
        /// The memory of earlier pieces, used again when the reader has let go of them: fresh memory is slow memory.
        private var buffers: [ByteBuffer] = []
        private var turn = 0

        private static let reused = 3

        fileprivate init(
            path: FilePath, range: Range<Int64>, progress: @escaping @Sendable (Int64) async throws -> Void
        ) {
            self.path = path
            self.progress = progress
            offset = range.lowerBound
            end = range.upperBound
        }

        package mutating func next() async throws -> ByteBuffer? {
            try Task.checkCancellation()
            let count = Int(Swift.min(Int64(FileChunks.chunk), end - offset))
            guard count > 0 else { return nil }
            let file = try self.file ?? OpenFile(path)
            self.file = file
            if buffers.count < Self.reused { buffers.append(ByteBuffer()) }
            turn = (turn + 1) % buffers.count
            buffers[turn].clear(minimumCapacity: FileChunks.chunk)
            try file.read(count, at: offset, into: &buffers[turn])
            let buffer = buffers[turn]
            guard buffer.readableBytes > 0 else { return nil }
            offset += Int64(buffer.readableBytes)
            try await progress(offset)
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

    func read(_ count: Int, at offset: Int64, into buffer: inout ByteBuffer) throws {
        try Files.wrap("cannot read \(path)") {
            _ = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) {
                try descriptor.read(
                    fromAbsoluteOffset: offset, into: UnsafeMutableRawBufferPointer(rebasing: $0.prefix(count)))
            }
        }
    }

    deinit { try? descriptor.close() }
}
