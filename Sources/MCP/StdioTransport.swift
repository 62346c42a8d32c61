internal import Core
internal import NIOCore
internal import NIOPosix
package import SystemPackage

/// MCP over two file descriptors: a process's own stdin and stdout, or a pair of pipes.
///
/// Reads block on a thread of their own instead of switching the descriptors to non-blocking: that flag belongs to the
/// open file, which a shell or a parent shares, and it does not exist for regular files.
package struct StdioTransport: Transport {
    private let input: SystemPackage.FileDescriptor
    private let output: SystemPackage.FileDescriptor

    package init(
        input: SystemPackage.FileDescriptor = .standardInput, output: SystemPackage.FileDescriptor = .standardOutput
    ) {
        self.input = input
        self.output = output
    }

    package func connect<R: Sendable>(
        _ body: (LineMessages<DescriptorInput>, @escaping SendMessage) async throws -> R
    ) async throws -> R {
        // One thread waits in read, one in write: a client that stops reading must not stop us from hearing it.
        let threads = NIOThreadPool(numberOfThreads: 2)
        threads.start()
        let source = try DescriptorInput(input, threads: threads)
        let writer = DescriptorOutput(output, threads: threads)
        defer {
            source.wake()
            // Not waited for: a client that has stopped reading may hold the writing thread for ever.
            threads.shutdownGracefully { _ in }
        }
        return try await body(LineMessages(source)) { line, _ in try await writer.write(line: line) }
    }
}

/// Whole lines to a descriptor, one after the other.
private actor DescriptorOutput {
    private let descriptor: SystemPackage.FileDescriptor
    private let threads: NIOThreadPool
    private var last: Task<Void, Never>?

    init(_ descriptor: SystemPackage.FileDescriptor, threads: NIOThreadPool) {
        self.descriptor = descriptor
        self.threads = threads
    }

    /// Returns when the line is out. A sender that is cancelled leaves, but its line is written whole all the same.
    func write(line: ByteBuffer) async throws {
        var bytes = line
        bytes.writeString("\n")
        let (previous, whole, written) = (last, bytes, Promise<Void>())
        // Chained, so that two lines never mix.
        last = Task { [descriptor, threads] in
            await previous?.value
            do {
                try await threads.runIfActive {
                    _ = try whole.withUnsafeReadableBytes { try descriptor.writeAll($0) }
                }
                written.fulfil(.success(()))
            } catch {
                written.fulfil(.failure(error))
            }
        }
        try await written.value
    }
}
