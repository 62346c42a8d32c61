internal import NIOCore

/// Names one event of one stream of a session, so that a client whose connection broke can say where it was
/// (`Last-Event-ID`).
struct EventID: Hashable, Sendable, CustomStringConvertible {
    let stream: Int
    /// Counts a stream's events from 1; 0 stands before the first.
    let number: Int

    init(stream: Int, number: Int) {
        self.stream = stream
        self.number = number
    }

    /// - Returns: nil for what no server of ours has given out.
    init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard text.utf8.count <= 40, parts.count == 2, let stream = Int(parts[0]), let number = Int(parts[1]),
            stream >= 0, number >= 0
        else { return nil }
        self.init(stream: stream, number: number)
    }

    var description: String { "\(stream)-\(number)" }
}

/// One message on its way to a client, with the name it has on its stream.
struct StreamEvent: Hashable, Sendable {
    /// Nil on streams that nobody can resume.
    let id: EventID?
    let bytes: ByteBuffer
}
