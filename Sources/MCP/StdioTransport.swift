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
        let (reading, writing) = (NIOThreadPool(numberOfThreads: 1), NIOThreadPool(numberOfThreads: 1))
        reading.start()
        writing.start()
        let source = try DescriptorInput(input, threads: reading)
        let writer = DescriptorOutput(output, thread: writing)
        defer {
            source.wake()
            // Not waited for: a client that has stopped reading may hold the writing thread for ever.
            reading.shutdownGracefully { _ in }
            writing.shutdownGracefully { _ in }
        }
        return try await body(LineMessages(source)) { line, _ in try await writer.write(line: line) }
    }
}
