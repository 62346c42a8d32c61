internal import Core
internal import SystemPackage

/// Reading what a person types or a pipe brings, in a way that cancelling the command ends.
///
/// A plain read would keep a command that is told to stop from putting away what it has started.
package enum StandardInput {
    private static let pollInterval: Int32 = 50

    /// The next line of a terminal, without its end; nil at the end of the input.
    package static func line() throws -> String? {
        try waitUntilReadable()
        return readLine()
    }

    /// All that comes.
    ///
    /// - Parameter limit: bytes that are accepted.
    /// - Throws: `.resourceExhausted` for more.
    package static func text(limit: Int) throws -> String {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            try waitUntilReadable()
            let count = try chunk.withUnsafeMutableBytes { try FileDescriptor.standardInput.read(into: $0) }
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += chunk.prefix(count)
            guard bytes.count <= limit else {
                throw Failure(.resourceExhausted, "stdin has more than \(ByteCount(limit)), too much to ask")
            }
        }
    }

    private static func waitUntilReadable() throws {
        while try !POSIX.isReadable(.standardInput, within: pollInterval) { try Task.checkCancellation() }
        try Task.checkCancellation()
    }
}
