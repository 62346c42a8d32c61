internal import Core
package import DockerEngine
package import MCP
package import NIOCore

/// MCP over a container's attached stdin and stdout; stderr goes elsewhere, line by line.
package struct AttachmentTransport: Transport {
    private let attachment: Attachment
    private let onLog: @Sendable (String) async -> Void

    package init(_ attachment: Attachment, onLog: @escaping @Sendable (String) async -> Void) {
        self.attachment = attachment
        self.onLog = onLog
    }

    package func connect<R: Sendable>(
        _ body: (LineMessages<StandardOutput>, @escaping SendMessage) async throws -> R
    ) async throws -> R {
        let messages = LineMessages(StandardOutput(frames: attachment.output, onLog: onLog))
        return try await body(messages) { [attachment] message, _ in
            var line = message
            line.writeString("\n")
            try await attachment.write(line)
        }
    }

    /// The stdout bytes among a container's frames.
    package struct StandardOutput: AsyncSequence, Sendable {
        package typealias Element = ByteBuffer

        fileprivate let frames: Attachment.Output
        fileprivate let onLog: @Sendable (String) async -> Void

        package func makeAsyncIterator() -> Iterator {
            Iterator(frames: frames.makeAsyncIterator(), onLog: onLog)
        }

        package struct Iterator: AsyncIteratorProtocol {
            fileprivate var frames: Attachment.Output.AsyncIterator
            fileprivate let onLog: @Sendable (String) async -> Void
            private var log = LineSplitter(maximumLength: 64 << 10, breaksLongLines: true)

            fileprivate init(
                frames: Attachment.Output.AsyncIterator, onLog: @escaping @Sendable (String) async -> Void
            ) {
                self.frames = frames
                self.onLog = onLog
            }

            package mutating func next() async throws -> ByteBuffer? {
                while let frame = try await frames.next() {
                    if frame.stream == .stdout { return frame.bytes }
                    for line in try log.append(frame.bytes) { await onLog(String(buffer: line)) }
                }
                if let rest = log.finish() { await onLog(String(buffer: rest)) }
                return nil
            }
        }
    }
}
