internal import Core
internal import Logging
internal import NIOCore
internal import Synchronization
internal import SystemPackage

/// The log of a daemon that a command started: its stdout and stderr are that file. When it has become too long it is
/// moved aside, over the one moved before, and a new one begins; so the two never take more than twice the limit.
final class DaemonLog: Sendable, TextOutputStream {
    static let limit: Int64 = 16 << 20

    private let path: FilePath
    private let limit: Int64
    private let lock = Mutex(())
    /// Where lines go, and which descriptors go along to a new file.
    private let descriptors: [SystemPackage.FileDescriptor]

    /// - Parameter limit: bytes the file may have before it is moved.
    init(
        _ path: FilePath, limit: Int64 = DaemonLog.limit,
        descriptors: [SystemPackage.FileDescriptor] = [.standardError, .standardOutput]
    ) {
        self.path = path
        self.limit = limit
        self.descriptors = descriptors
    }

    /// A log that cannot be written is no reason to stop answering.
    func write(_ text: String) {
        lock.withLock { _ in
            guard let descriptor = descriptors.first else { return }
            _ = try? descriptor.writeAll(text.utf8)
            // The file's end, where appending has put the descriptor.
            if let size = try? descriptor.seek(offset: 0, from: .end), size >= limit { try? rotate() }
        }
    }

    private func rotate() throws {
        try POSIX.rename(path, to: FilePath(path.string + ".1"))
        let file = try SystemPackage.FileDescriptor.open(
            path, .writeOnly, options: [.create, .append, .closeOnExec], permissions: [.ownerReadWrite])
        try file.closeAfter {
            for descriptor in descriptors { _ = try file.duplicate(as: descriptor) }
        }
    }

    /// The last line of what was written to a log after its first `start` bytes.
    static func lastLine(of log: FilePath, after start: Int64) -> String? {
        guard let file = try? SystemPackage.FileDescriptor.open(log, .readOnly, options: .closeOnExec) else {
            return nil
        }
        let text = try? file.closeAfter {
            let end = try file.seek(offset: 0, from: .end)
            var bytes = [UInt8](repeating: 0, count: 16 << 10)
            let begin = max(min(start, end), end - Int64(bytes.count))
            let count = try bytes.withUnsafeMutableBytes { try file.read(fromAbsoluteOffset: begin, into: $0) }
            return String(decoding: bytes.prefix(count), as: UTF8.self)
        }
        return text?.split(separator: "\n").last.map(String.init)
    }
}
