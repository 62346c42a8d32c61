internal import NIOCore

/// The last events of a session's streams, bounded in number, bytes and age.
struct EventLog: Sendable {
    static let maximumEvents = 256
    static let maximumBytes = 4 << 20
    /// Beats of the clock that an event is kept for.
    static let maximumAge = 20

    private struct Entry: Sendable {
        let id: EventID
        let bytes: ByteBuffer
        let beat: Int
    }

    private var entries: ArraySlice<Entry> = []
    private var bytes = 0
    private var beat = 0
    private var counts: [Int: Int] = [:]

    mutating func append(_ id: EventID, _ message: ByteBuffer) {
        entries.append(Entry(id: id, bytes: message, beat: beat))
        bytes += message.readableBytes
        counts[id.stream, default: 0] += 1
        // The newest one stays, whatever its size: it may be an answer that somebody comes back for.
        while entries.count > Self.maximumEvents || bytes > Self.maximumBytes, entries.count > 1 { forget() }
    }

    /// What has followed an event on its stream, as far as it is kept.
    func events(after position: EventID) -> [StreamEvent] {
        entries.filter { $0.id.stream == position.stream && $0.id.number > position.number }
            .map { StreamEvent(id: $0.id, bytes: $0.bytes) }
    }

    func has(stream: Int) -> Bool { counts[stream] != nil }

    mutating func tick() {
        beat += 1
        while let first = entries.first, beat - first.beat > Self.maximumAge { forget() }
    }

    private mutating func forget() {
        guard let first = entries.popFirst() else { return }
        bytes -= first.bytes.readableBytes
        counts[first.id.stream, default: 1] -= 1
        if counts[first.id.stream] == 0 { counts[first.id.stream] = nil }
        // A slice keeps what it has left behind.
        if entries.startIndex > Self.maximumEvents { entries = ArraySlice(Array(entries)) }
    }
}
