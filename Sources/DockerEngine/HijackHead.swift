internal import Core
internal import NIOCore
internal import NIOHTTP1

/// Reads the head of the answer to an upgrade request from raw bytes: after it the connection is no HTTP any more.
struct HijackHead {
    static let maximumHead = 64 << 10

    private var pending = ByteBuffer()

    struct Parsed {
        let status: HTTPResponseStatus
        let contentLength: Int?
        /// The bytes that came behind the head.
        let rest: ByteBuffer

        /// The connection is ours from here on; old engines answer 200.
        var isUpgraded: Bool { status == .switchingProtocols || status == .ok }
    }

    /// - Returns: nil until the head is complete.
    mutating func append(_ bytes: ByteBuffer) throws -> Parsed? {
        var bytes = bytes
        pending.writeBuffer(&bytes)
        let view = pending.readableBytesView
        guard let end = Self.endOfHead(view) else {
            guard view.count <= Self.maximumHead else { throw Self.noHTTP }
            return nil
        }
        let lines = String(decoding: view[view.startIndex..<end], as: UTF8.self).split(separator: "\r\n")
        let words = lines.first?.split(separator: " ", maxSplits: 2) ?? []
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let code = Int(words[1]), (100..<600).contains(code)
        else {
            throw Self.noHTTP
        }
        let length = lines.dropFirst().lazy.compactMap { line -> Int? in
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].lowercased() == "content-length" else { return nil }
            return Int(parts[1].trimmingPrefix(while: \.isWhitespace))
        }.first
        pending.moveReaderIndex(to: end + 4)
        return Parsed(status: HTTPResponseStatus(statusCode: code), contentLength: length, rest: pending.slice())
    }

    private static func endOfHead(_ view: ByteBufferView) -> Int? {
        let mark = Array("\r\n\r\n".utf8)
        var from = view.startIndex
        while let at = view[from...].firstIndex(of: mark[0]) {
            if view[at...].starts(with: mark) { return at }
            from = view.index(after: at)
        }
        return nil
    }

    private static var noHTTP: Failure {
        Failure(.corrupted, "the Docker Engine answered the attach request with something that is no HTTP")
    }
}
