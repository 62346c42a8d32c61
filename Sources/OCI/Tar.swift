package import NIOCore

/// The tar format as far as archives of plain files need it: POSIX ustar, with pax records for what does not fit there.
package enum Tar {
    static let block = 512
    /// Bytes one entry may claim to have; more than any disk of ours, far less than what overflows.
    static let maximumSize: Int64 = 16 << 40
    /// Bytes the pax records before one entry may have.
    static let maximumRecords = 64 << 10
    /// What eleven octal digits can say.
    private static let maximumOctal: Int64 = (8 << 30) - 1
    private static let maximumName = 100

    /// One file or folder as an archive announces it.
    package struct Entry: Hashable, Sendable {
        /// As it stands there, which may be anything.
        package let name: String
        /// Bytes; 0 for a folder.
        package let size: Int64
        package let isDirectory: Bool
        /// The pax records before it, by keyword.
        package let records: [String: String]

        package init(name: String, size: Int64, isDirectory: Bool = false, records: [String: String] = [:]) {
            self.name = name
            self.size = size
            self.isDirectory = isDirectory
            self.records = records
        }
    }

    /// An entry's head; its bytes follow, then `padding`. Equal entries have equal heads: no times, no owners.
    package static func head(_ entry: Entry) -> ByteBuffer {
        var records = entry.records
        if entry.name.utf8.count > maximumName { records["path"] = entry.name }
        if entry.size > maximumOctal { records["size"] = String(entry.size) }
        var bytes = ByteBuffer()
        if !records.isEmpty {
            let text = records.sorted { $0.key < $1.key }.map { record($0.key, $0.value) }.joined()
            let size = Int64(text.utf8.count)
            bytes.writeBytes(header("pax_header", size: size, type: "x", mode: 0o644))
            bytes.writeString(text)
            bytes.writeImmutableBuffer(padding(after: size))
        }
        let size = entry.size > maximumOctal ? 0 : entry.size
        bytes.writeBytes(
            header(entry.name, size: size, type: entry.isDirectory ? "5" : "0", mode: entry.isDirectory ? 0o755 : 0o644)
        )
        return bytes
    }

    /// What fills an entry's last block.
    package static func padding(after size: Int64) -> ByteBuffer {
        ByteBuffer(repeating: 0, count: (block - Int(size % Int64(block))) % block)
    }

    /// What ends an archive.
    package static var end: ByteBuffer { ByteBuffer(repeating: 0, count: 2 * block) }

    /// `LENGTH KEY=VALUE\n`, where the length counts its own digits.
    private static func record(_ key: String, _ value: String) -> String {
        let rest = " \(key)=\(value)\n"
        var length = rest.utf8.count
        while String(length).utf8.count + rest.utf8.count != length {
            length = String(length).utf8.count + rest.utf8.count
        }
        return "\(length)\(rest)"
    }

    private static func header(_ name: String, size: Int64, type: Character, mode: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: block)
        func put(_ text: some Sequence<UInt8>, at place: Int) {
            for (offset, byte) in text.enumerated() { bytes[place + offset] = byte }
        }
        func octal(_ value: Int64, digits: Int, at place: Int) {
            let text = String(value, radix: 8)
            put((String(repeating: "0", count: max(0, digits - text.utf8.count)) + text).utf8, at: place)
        }
        put(name.utf8.prefix(maximumName), at: 0)
        octal(Int64(mode), digits: 7, at: 100)
        for place in [108, 116] { octal(0, digits: 7, at: place) }
        octal(size, digits: 11, at: 124)
        octal(0, digits: 11, at: 136)
        put(String(type).utf8, at: 156)
        put("ustar\0".utf8, at: 257)
        put("00".utf8, at: 263)
        octal(checksum(bytes), digits: 6, at: 148)
        bytes[155] = UInt8(ascii: " ")
        return bytes
    }

    /// The sum of a header's bytes, its own field taken as blanks.
    static func checksum(_ bytes: some Collection<UInt8>) -> Int64 {
        bytes.enumerated().reduce(0) { $0 + Int64((148..<156).contains($1.offset) ? 32 : $1.element) }
    }
}
