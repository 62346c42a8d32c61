internal import NIOCore
internal import Synchronization

/// Messages on their way to the other side: any number of senders, who never wait, and one writer.
///
/// Bounded by whoever fills it: requests and notifications look for room first, and for each request of the other side
/// there is one answer.
final class Outbox: Sendable {
    struct Entry: Sendable {
        let bytes: ByteBuffer
        let relation: Relation
        /// The request of ours that it carries.
        var request: RPC.ID?
    }

    static let maximumMessages = 4096
    static let maximumBytes = 32 << 20

    private struct State {
        var queue = Queue()
        /// Whether the writer has one that is not out yet.
        var isWriting = false
        var isClosed = false
        var writer: CheckedContinuation<Entry?, Never>?
        var waiting: [CheckedContinuation<Void, Never>] = []

        var hasRoom: Bool { isClosed || queue.bytes < Outbox.maximumBytes && queue.count < Outbox.maximumMessages }
    }

    /// First in, first out.
    private struct Queue {
        private var entries: [Entry] = []
        private var first = 0
        private(set) var bytes = 0

        var count: Int { entries.count - first }
        var all: ArraySlice<Entry> { entries[first...] }

        mutating func add(_ entry: Entry) {
            entries.append(entry)
            bytes += entry.bytes.readableBytes
        }

        mutating func take() -> Entry? {
            guard first < entries.count else { return nil }
            let entry = entries[first]
            first += 1
            bytes -= entry.bytes.readableBytes
            // What has been taken must not hold its bytes.
            if first == entries.count || first >= 64 {
                entries.removeFirst(first)
                first = 0
            }
            return entry
        }
    }

    private let state = Mutex(State())

    /// - Returns: false where the connection is closed.
    @discardableResult
    func put(_ entry: Entry) -> Bool {
        let (writer, isOpen) = state.withLock { state -> (CheckedContinuation<Entry?, Never>?, Bool) in
            guard !state.isClosed else { return (nil, false) }
            guard let writer = state.writer else {
                state.queue.add(entry)
                return (nil, true)
            }
            // The writer waits, so nothing else does.
            state.writer = nil
            state.isWriting = true
            return (writer, true)
        }
        writer?.resume(returning: entry)
        return isOpen
    }

    var hasRoom: Bool { state.withLock { $0.hasRoom } }
    var isWriting: Bool { state.withLock { $0.isWriting } }
    var isEmpty: Bool { state.withLock { $0.queue.count == 0 && !$0.isWriting } }

    /// Waits until there is room, or nothing more can be sent.
    func room() async {
        if hasRoom { return }
        await withCheckedContinuation { waiter in
            let isThere = state.withLock { state in
                if !state.hasRoom { state.waiting.append(waiter) }
                return state.hasRoom
            }
            if isThere { waiter.resume() }
        }
    }

    /// What is to be written next, for the one writer; nil when the connection is closed.
    func next() async -> Entry? {
        await withCheckedContinuation { writer in
            let (entry, waits, waiting) = state.withLock {
                state -> (Entry?, Bool, [CheckedContinuation<Void, Never>]) in
                state.isWriting = false
                guard !state.isClosed else { return (nil, false, []) }
                guard let entry = state.queue.take() else {
                    state.writer = writer
                    return (nil, true, [])
                }
                state.isWriting = true
                guard state.hasRoom else { return (entry, false, []) }
                defer { state.waiting = [] }
                return (entry, false, state.waiting)
            }
            if !waits { writer.resume(returning: entry) }
            for waiter in waiting { waiter.resume() }
        }
    }

    /// Takes nothing more.
    ///
    /// - Returns: what the writer has not taken.
    func close() -> [Entry] {
        let (writer, waiting, left) = state.withLock { state in
            state.isClosed = true
            defer { (state.writer, state.waiting, state.queue) = (nil, [], Queue()) }
            return (state.writer, state.waiting, Array(state.queue.all))
        }
        writer?.resume(returning: nil)
        for waiter in waiting { waiter.resume() }
        return left
    }
}
