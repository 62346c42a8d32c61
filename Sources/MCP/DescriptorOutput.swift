internal import Core
internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import SystemPackage

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Whole lines to a descriptor, one after the other.
final class DescriptorOutput: Sendable {
    private let descriptor: SystemPackage.FileDescriptor
    /// One thread, so that two lines never mix.
    private let thread: NIOThreadPool
    /// Lines that the thread has to write.
    private let queued = Mutex(0)
    /// How much a pipe that is writable takes at once, so that nobody has to wait for it; 0 for anything else.
    private let quickLength: Int

    init(_ descriptor: SystemPackage.FileDescriptor, thread: NIOThreadPool) {
        self.descriptor = descriptor
        self.thread = thread
        var info = stat()
        let isPipe = fstat(descriptor.rawValue, &info) == 0 && info.st_mode & S_IFMT == S_IFIFO
        quickLength = isPipe ? Int(PIPE_BUF) : 0
    }

    /// Returns when the line is out. A sender that is cancelled leaves, but its line is written whole all the same.
    func write(line: ByteBuffer) async throws {
        var bytes = line
        bytes.writeString("\n")
        if try writeAtOnce(bytes) { return }
        let written = Promise<Void>()
        let whole = bytes
        queued.withLock { $0 += 1 }
        thread.submit { [self] state in
            defer { queued.withLock { $0 -= 1 } }
            guard state == .active else {
                return written.fulfil(.failure(Failure(.unavailable, "the output is closed")))
            }
            do {
                _ = try whole.withUnsafeReadableBytes { try descriptor.writeAll($0) }
                written.fulfil(.success(()))
            } catch { written.fulfil(.failure(error)) }
        }
        try await written.value
    }

    /// A short line to a pipe with room needs no thread that may wait.
    private func writeAtOnce(_ bytes: ByteBuffer) throws -> Bool {
        guard bytes.readableBytes <= quickLength else { return false }
        return try queued.withLock { queued in
            guard queued == 0 else { return false }
            var wait = pollfd(fd: descriptor.rawValue, events: Int16(POLLOUT), revents: 0)
            guard poll(&wait, 1, 0) == 1, wait.revents == Int16(POLLOUT) else { return false }
            // Up to this length a pipe takes all or nothing.
            _ = try bytes.withUnsafeReadableBytes { try descriptor.writeAll($0) }
            return true
        }
    }
}
