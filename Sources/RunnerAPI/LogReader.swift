internal import Core
internal import NIOCore
internal import SystemPackage

/// The daemon's log as far as it is written: first the older file, then the current one, and on into whatever replaces
/// that one while it is read.
struct LogReader: ~Copyable {
    private let path: FilePath
    private var file: SystemPackage.FileDescriptor
    private var inode: UInt64
    /// The older file, while it is read.
    private var older: SystemPackage.FileDescriptor?

    static let chunk = 64 << 10

    /// Where a log that has become too long is moved to.
    static func olderPath(of path: FilePath) -> FilePath { FilePath(path.string + ".1") }

    /// - Throws: `.notFound` when there is no log.
    init(_ path: FilePath) throws {
        self.path = path
        (file, inode) = try Self.open(path)
        // Opened second: were it moved in between, both are the same file.
        if let (descriptor, number) = try? Self.open(Self.olderPath(of: path)) {
            if number == inode { try? descriptor.close() } else { older = descriptor }
        }
    }

    private static func open(_ path: FilePath) throws -> (SystemPackage.FileDescriptor, UInt64) {
        try Files.wrap("cannot read \(path)") {
            while true {
                let inode = try POSIX.status(path).inode
                let descriptor = try SystemPackage.FileDescriptor.open(path, .readOnly, options: .closeOnExec)
                // Moved away just then: it is not known which of the two was opened.
                if (try? POSIX.status(path).inode) == inode { return (descriptor, inode) }
                try? descriptor.close()
            }
        }
    }

    /// The next bytes; nil when there are none for now.
    mutating func next() throws -> ByteBuffer? {
        if let older {
            let bytes = try Self.read(older)
            if bytes.readableBytes > 0 { return bytes }
            try? older.close()
            self.older = nil
        }
        let bytes = try Self.read(file)
        if bytes.readableBytes > 0 { return bytes }
        guard let (descriptor, number) = try? Self.open(path) else { return nil }
        guard number != inode else {
            try? descriptor.close()
            return nil
        }
        // What was written to the old file between looking and its end.
        let rest = try Self.read(file)
        try? file.close()
        (file, inode) = (descriptor, number)
        return rest.readableBytes > 0 ? rest : try Self.read(file).nonEmpty
    }

    private static func read(_ file: SystemPackage.FileDescriptor) throws -> ByteBuffer {
        var buffer = ByteBuffer()
        _ = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: chunk) {
            try file.read(into: UnsafeMutableRawBufferPointer(rebasing: $0.prefix(chunk)))
        }
        return buffer
    }

    deinit {
        try? file.close()
        try? older?.close()
    }
}

extension ByteBuffer {
    fileprivate var nonEmpty: ByteBuffer? { readableBytes > 0 ? self : nil }
}

/// Leaves the engines' own lines out of a log.
struct LogFilter: Sendable {
    let showsEngines: Bool
    private var lines = LineSplitter(maximumLength: 1 << 20, breaksLongLines: true)

    init(showsEngines: Bool) { self.showsEngines = showsEngines }

    mutating func take(_ bytes: ByteBuffer) throws -> ByteBuffer {
        if showsEngines { return bytes }
        var result = ByteBuffer()
        for line in try lines.append(bytes) where !Self.isEngine(line) {
            result.writeImmutableBuffer(line)
            result.writeString("\n")
        }
        return result
    }

    /// A last line without its end.
    mutating func finish() -> ByteBuffer {
        lines.finish().flatMap { Self.isEngine($0) ? nil : $0 } ?? ByteBuffer()
    }

    /// `TIME LEVEL wharf: engine=…`: what the scheduler notes down of an engine's output begins so.
    static func isEngine(_ line: ByteBuffer) -> Bool {
        let words = line.readableBytesView.prefix(512).split(separator: UInt8(ascii: " "), maxSplits: 3)
        return words.count == 4 && words[2].last == UInt8(ascii: ":") && words[3].starts(with: "engine=".utf8)
    }
}
