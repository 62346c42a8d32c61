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
        var entries: [Entry] = []
        var bytes = 0
        /// Taken by the writer and not out yet.
        var writing = 0
        var isClosed = false
        var writer: CheckedContinuation<[Entry]?, Never>?
        var waiting: [CheckedContinuation<Void, Never>] = []

        var hasRoom: Bool { isClosed || bytes < Outbox.maximumBytes && entries.count < Outbox.maximumMessages }

        mutating func take() -> [Entry]? {
            guard !entries.isEmpty else { return nil }
            defer { (entries, bytes) = ([], 0) }
            writing = entries.count
            return entries
        }
    }

    private let state = Mutex(State())

    /// - Returns: false where the connection is closed.
    @discardableResult
    func put(_ entry: Entry) -> Bool {
        let (writer, batch, isOpen) = state.withLock {
            state -> (CheckedContinuation<[Entry]?, Never>?, [Entry]?, Bool) in
            guard !state.isClosed else { return (nil, nil, false) }
            state.entries.append(entry)
            state.bytes += entry.bytes.readableBytes
            guard let writer = state.writer else { return (nil, nil, true) }
            state.writer = nil
            return (writer, state.take(), true)
        }
        writer?.resume(returning: batch)
        return isOpen
    }

    var hasRoom: Bool { state.withLock { $0.hasRoom } }
    var isEmpty: Bool { state.withLock { $0.entries.isEmpty && $0.writing == 0 } }

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
    func next() async -> [Entry]? {
        await withCheckedContinuation { writer in
            let (batch, isOver, waiting) = state.withLock {
                state -> ([Entry]?, Bool, [CheckedContinuation<Void, Never>]) in
                state.writing = 0
                guard !state.isClosed else { return (nil, true, []) }
                guard let batch = state.take() else {
                    state.writer = writer
                    return (nil, false, [])
                }
                defer { state.waiting = [] }
                return (batch, false, state.waiting)
            }
            if batch != nil || isOver { writer.resume(returning: batch) }
            for waiter in waiting { waiter.resume() }
        }
    }

    /// Takes nothing more.
    ///
    /// - Returns: what has not been taken by the writer.
    func close() -> [Entry] {
        let (writer, waiting, left) = state.withLock { state in
            state.isClosed = true
            defer { (state.writer, state.waiting, state.entries, state.bytes) = (nil, [], [], 0) }
            return (state.writer, state.waiting, state.entries)
        }
        writer?.resume(returning: nil)
        for waiter in waiting { waiter.resume() }
        return left
    }
}
