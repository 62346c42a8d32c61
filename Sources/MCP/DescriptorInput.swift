internal import Core
package import NIOCore
package import NIOPosix
internal import Synchronization
package import SystemPackage

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The bytes of a descriptor in chunks, read on a thread that may block; cancelling the reader wakes it.
///
/// The thread is one chunk ahead: while that is looked at it waits for the next one, and need not be sent for it.
package struct DescriptorInput: AsyncSequence, Sendable {
    package typealias Element = ByteBuffer

    private let reader: Reader

    package init(_ descriptor: SystemPackage.FileDescriptor, threads: NIOThreadPool) throws {
        reader = Reader(descriptor, threads, try Alarm())
    }

    /// Ends a waiting read as if the input had ended.
    package func wake() { reader.alarm.ring() }

    /// For one consumer.
    package func makeAsyncIterator() -> Iterator { Iterator(reader: reader) }

    package struct Iterator: AsyncIteratorProtocol {
        fileprivate let reader: Reader

        package mutating func next() async throws -> ByteBuffer? {
            let reader = reader
            return try await withTaskCancellationHandler {
                try await reader.next()
            } onCancel: {
                reader.alarm.ring()
            }
        }
    }
}

private final class Reader: Sendable {
    private typealias Chunk = Result<ByteBuffer?, any Error>

    private struct State {
        /// What nobody has come for so far.
        var ready: Chunk?
        var consumer: CheckedContinuation<ByteBuffer?, any Error>?
        /// Whether the thread reads, or is about to.
        var isReading = false
        var isOver = false
    }

    let alarm: Alarm
    private let descriptor: SystemPackage.FileDescriptor
    private let threads: NIOThreadPool
    private let state = Mutex(State())

    init(_ descriptor: SystemPackage.FileDescriptor, _ threads: NIOThreadPool, _ alarm: Alarm) {
        self.descriptor = descriptor
        self.threads = threads
        self.alarm = alarm
    }

    func next() async throws -> ByteBuffer? {
        try await withCheckedThrowingContinuation { consumer in
            let (ready, starts) = state.withLock { state -> (Chunk?, Bool) in
                let ready = state.ready ?? (state.isOver ? .success(nil) : nil)
                state.ready = nil
                if ready == nil { state.consumer = consumer }
                let starts = !state.isReading && !state.isOver
                state.isReading = state.isReading || starts
                return (ready, starts)
            }
            if starts { threads.submit { [self] thread in read(isActive: thread == .active) } }
            if let ready { consumer.resume(with: ready) }
        }
    }

    /// Reads as long as each chunk is taken at once.
    private func read(isActive: Bool) {
        while true {
            let chunk = isActive ? Chunk { try readBlocking() } : .failure(CancellationError())
            let isLast = if case .success(.some) = chunk { false } else { true }
            let consumer = state.withLock { state in
                defer { state.consumer = nil }
                if state.consumer == nil { state.ready = chunk }
                state.isOver = isLast
                state.isReading = !isLast && state.consumer != nil
                return state.consumer
            }
            guard let consumer else { return }
            consumer.resume(with: chunk)
            if isLast { return }
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
