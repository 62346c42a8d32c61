internal import Core
package import NIOCore

/// Reads an archive piece by piece: bytes in, entries and their bytes out. Only files and folders are accepted, so that
/// nothing in an archive can point anywhere.
package struct TarReader: Sendable {
    package enum Event: Sendable, Equatable {
        case entry(Tar.Entry)
        case data(ByteBuffer)
    }

    private enum State: Sendable {
        case head
        case content(left: Int64, padding: Int)
        case records(size: Int, padding: Int, global: Bool)
        case ended
    }

    private var state = State.head
    private var pending = ByteBuffer()
    /// For the entry that follows.
    private var records: [String: String] = [:]

    package init() {}

    package mutating func append(_ bytes: ByteBuffer) {
        if case .ended = state { return }
        // A piece is used up before the next one comes, but for less than a block.
        if pending.readableBytes == 0 { pending = bytes } else { pending.writeImmutableBuffer(bytes) }
    }

    /// The next thing in what has come so far; nil when more is needed.
    ///
    /// - Throws: `.corrupted` for what is no tar archive; `.unsupported` for links, devices and the like.
    package mutating func next() throws -> Event? {
        while true {
            switch state {
            case .ended: return nil
            case .head:
                guard let block = pending.readSlice(length: Tar.block) else { return nil }
                if let entry = try read(head: block) { return .entry(entry) }
            case .content(let left, let padding):
                if left > 0 {
                    let count = Int(min(left, Int64(pending.readableBytes)))
                    guard count > 0, let data = pending.readSlice(length: count) else { return nil }
                    state = .content(left: left - Int64(count), padding: padding)
                    return .data(data)
                }
                guard pending.readableBytes >= padding else { return nil }
                pending.moveReaderIndex(forwardBy: padding)
                state = .head
            case .records(let size, let padding, let global):
                guard pending.readableBytes >= size + padding, let text = pending.readSlice(length: size) else {
                    return nil
                }
                pending.moveReaderIndex(forwardBy: padding)
                let parsed = try Self.parse(records: text)
                if !global { records = parsed }
                state = .head
            }
        }
    }

    /// Leaves out what is left of an entry's bytes.
    ///
    /// - Returns: how many of those that come next are to be left out, and not appended.
    package mutating func skip() -> Int64 {
        guard case .content(let left, let padding) = state else { return 0 }
        let count = Int(min(left, Int64(pending.readableBytes)))
        pending.moveReaderIndex(forwardBy: count)
        state = .content(left: 0, padding: padding)
        return left - Int64(count)
    }

    /// - Throws: `.corrupted` when the archive stops within an entry.
    package func finish() throws {
        switch state {
        case .ended: return
        case .head where pending.readableBytes == 0 && records.isEmpty: return
        case .head, .content, .records: throw Failure(.corrupted, "the archive is cut off")
        }
    }

    private mutating func read(head block: ByteBuffer) throws -> Tar.Entry? {
        let bytes = block.readableBytesView
        if bytes.allSatisfy({ $0 == 0 }) {
            state = .ended
            return nil
        }
        guard bytes.dropFirst(257).starts(with: "ustar".utf8),
            Self.number(bytes.dropFirst(148).prefix(8)) == Tar.checksum(bytes)
        else { throw Failure(.corrupted, "this is no tar archive") }
        guard var size = Self.number(bytes.dropFirst(124).prefix(12)), size >= 0, size <= Tar.maximumSize else {
            throw Failure(.corrupted, "an entry of the archive has an impossible size")
        }
        let type = bytes[bytes.startIndex + 156]
        let name = Self.name(bytes)
        switch type {
        case UInt8(ascii: "x"), UInt8(ascii: "g"):
            guard size <= Tar.maximumRecords else {
                throw Failure(.corrupted, "the records of the archive's entry are too large")
            }
            state = .records(size: Int(size), padding: Self.padding(size), global: type == UInt8(ascii: "g"))
            return nil
        case UInt8(ascii: "0"), 0, UInt8(ascii: "5"): break
        default:
            throw Failure(
                .unsupported, "\(JSON.quoted(String(name.prefix(200)))) in the archive is neither a file nor a folder",
                advice: "Only archives that `docker model save` writes can be loaded.")
        }
        let isDirectory = type == UInt8(ascii: "5")
        if let text = records["size"] {
            guard let real = Int64(text), real >= 0, real <= Tar.maximumSize else {
                throw Failure(.corrupted, "an entry of the archive has an impossible size")
            }
            size = real
        }
        if isDirectory { size = 0 }
        defer { records = [:] }
        state = .content(left: size, padding: Self.padding(size))
        return Tar.Entry(name: records["path"] ?? name, size: size, isDirectory: isDirectory, records: records)
    }

    private static func padding(_ size: Int64) -> Int { Tar.padding(after: size).readableBytes }

    private static func name(_ bytes: ByteBufferView) -> String {
        func text(_ place: Int, _ length: Int) -> String {
            String(decoding: bytes.dropFirst(place).prefix(length).prefix { $0 != 0 }, as: UTF8.self)
        }
        // GNU's older format keeps times where POSIX has the folder's name.
        let isPOSIX = bytes[bytes.startIndex + 262] == 0
        let prefix = isPOSIX ? text(345, 155) : ""
        return prefix.isEmpty ? text(0, 100) : "\(prefix)/\(text(0, 100))"
    }

    /// Octal digits, or GNU's binary form for what they cannot say.
    private static func number(_ field: some Collection<UInt8>) -> Int64? {
        if let first = field.first, first & 0x80 != 0 {
            guard first == 0x80, field.dropFirst().dropLast(8).allSatisfy({ $0 == 0 }) else { return nil }
            let value = field.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return Int64(exactly: value)
        }
        let digits = field.drop { $0 == 32 }.prefix { $0 != 0 && $0 != 32 }
        return digits.isEmpty ? 0 : Int64(String(decoding: digits, as: UTF8.self), radix: 8)
    }

    private static func parse(records text: ByteBuffer) throws -> [String: String] {
        var records: [String: String] = [:]
        var rest = text.readableBytesView[...]
        while !rest.isEmpty {
            let digits = rest.prefix { $0 != 32 }
            guard digits.count <= 6, let length = Int(String(decoding: digits, as: UTF8.self)),
                length > digits.count + 1, length <= rest.count
            else { throw Failure(.corrupted, "the archive has a bad pax record") }
            let record = rest.prefix(length).dropFirst(digits.count + 1)
            guard record.last == UInt8(ascii: "\n"), let equals = record.firstIndex(of: UInt8(ascii: "=")) else {
                throw Failure(.corrupted, "the archive has a bad pax record")
            }
            let value = record[record.index(after: equals)...].dropLast()
            records[String(decoding: record[..<equals], as: UTF8.self)] = String(decoding: value, as: UTF8.self)
            rest = rest.dropFirst(length)
        }
        return records
    }
}

/// An archive that arrives in pieces, read entry by entry in the order it has them.
package struct TarStream<Chunks: AsyncIteratorProtocol> where Chunks.Element == ByteBuffer {
    private var chunks: Chunks
    private var reader = TarReader()
    private var following: Tar.Entry?

    package init(_ chunks: Chunks) { self.chunks = chunks }

    /// The next entry; what was not read of the one before is skipped. nil at the archive's end.
    ///
    /// - Throws: `.corrupted` for what is no tar archive or is cut off; `.unsupported` for links and the like.
    package mutating func entry() async throws -> Tar.Entry? {
        while try await data() != nil {}
        defer { following = nil }
        return following
    }

    /// The next bytes of the entry; nil at its end.
    package mutating func data() async throws -> ByteBuffer? {
        if following != nil { return nil }
        while true {
            switch try reader.next() {
            case .data(let bytes): return bytes
            case .entry(let entry):
                following = entry
                return nil
            case nil:
                guard let chunk = try await chunks.next() else {
                    try reader.finish()
                    return nil
                }
                reader.append(chunk)
            }
        }
    }
}
