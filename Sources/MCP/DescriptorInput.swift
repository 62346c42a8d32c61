package import NIOCore
package import NIOPosix
package import SystemPackage

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The bytes of a descriptor in chunks, read on a thread that may block; cancelling the reader wakes it.
package struct DescriptorInput: AsyncSequence, Sendable {
    package typealias Element = ByteBuffer

    private let descriptor: SystemPackage.FileDescriptor
    private let threads: NIOThreadPool
    private let alarm: Alarm

    package init(_ descriptor: SystemPackage.FileDescriptor, threads: NIOThreadPool) throws {
        self.descriptor = descriptor
        self.threads = threads
        alarm = try Alarm()
    }

    /// Ends a waiting read as if the input had ended.
    package func wake() { alarm.ring() }

    package func makeAsyncIterator() -> Iterator { Iterator(source: self) }

    package struct Iterator: AsyncIteratorProtocol {
        fileprivate let source: DescriptorInput

        package mutating func next() async throws -> ByteBuffer? {
            let source = source
            return try await withTaskCancellationHandler {
                try await source.threads.runIfActive { try source.readBlocking() }
            } onCancel: {
                source.wake()
            }
        }
    }

    private func readBlocking() throws -> ByteBuffer? {
        var waits = [
            pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0),
            pollfd(fd: alarm.reader.rawValue, events: Int16(POLLIN), revents: 0),
        ]
        while poll(&waits, nfds_t(waits.count), -1) < 0 {
            if errno != EINTR { throw Errno(rawValue: errno) }
        }
        if waits[1].revents != 0 { return nil }
        var buffer = ByteBuffer()
        let count = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 64 << 10) {
            try descriptor.read(into: UnsafeMutableRawBufferPointer($0))
        }
        return count == 0 ? nil : buffer
    }
}

/// A pipe whose only use is to end a `poll`.
private final class Alarm: Sendable {
    let reader: SystemPackage.FileDescriptor
    private let writer: SystemPackage.FileDescriptor

    init() throws { (reader, writer) = try SystemPackage.FileDescriptor.pipe() }

    func ring() { _ = try? writer.writeAll([1]) }

    deinit {
        try? reader.close()
        try? writer.close()
    }
}
