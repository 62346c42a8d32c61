internal import NIOCore
internal import Synchronization

/// What waits to be written on one HTTP stream, bounded; the pure part of an `Outlet`.
struct OutletQueue: Sendable {
    enum Item: Sendable, Hashable {
        case message(StreamEvent)
        /// The message after which nothing follows.
        case last(StreamEvent)
        /// Says nothing but that somebody is there.
        case keepAlive

        var size: Int {
            switch self {
            case .message(let event), .last(let event): event.bytes.readableBytes
            case .keepAlive: 0
            }
        }
    }

    static let maximumItems = 256
    /// Items beyond which what can be done without is.
    static let tooMany = 4096

    private let limit: Int
    private var items: [Item] = []
    private var bytes = 0
    private var quiet = 0
    private(set) var isClosed = false

    /// - Parameter limit: bytes that may wait; one message of any size may always.
    init(limit: Int) { self.limit = limit }

    var hasRoom: Bool { items.isEmpty || bytes < limit && items.count < Self.maximumItems }
    var isEmpty: Bool { items.isEmpty }
    /// Whether far more waits than a client leaves there that reads.
    var isNeglected: Bool { bytes >= 4 * limit || items.count >= Self.tooMany }
    var size: Int { bytes }

    mutating func add(_ item: Item) {
        quiet = 0
        bytes += item.size
        items.append(item)
    }

    mutating func take() -> Item? {
        guard !items.isEmpty else { return nil }
        let item = items.removeFirst()
        bytes -= item.size
        return item
    }

    /// A beat of the clock: a stream that was silent for a whole interval gets a sign of life.
    mutating func tick() {
        guard items.isEmpty, !isClosed else { return }
        quiet += 1
        if quiet > 1 { items.append(.keepAlive) }
    }

    /// Takes nothing more; what waits may still be written, unless there is nobody to write it to.
    mutating func close(discarding: Bool) {
        isClosed = true
        if discarding { (items, bytes) = ([], 0) }
    }
}

/// One HTTP stream towards a client: any number of senders, who wait while it is full, and one reader.
final class Outlet: Sendable, Equatable {
    static func == (a: Outlet, b: Outlet) -> Bool { a === b }

    typealias Item = OutletQueue.Item

    private struct State {
        var queue: OutletQueue
        var reader: CheckedContinuation<Item?, Never>?
        var senders: [Int: CheckedContinuation<Void, Never>] = [:]
        var nextSender = 0

        /// Whom to wake after a change, and with what.
        mutating func wakeReader() -> (CheckedContinuation<Item?, Never>, Item?)? {
            guard let waiting = reader, !queue.isEmpty || queue.isClosed else { return nil }
            reader = nil
            return (waiting, queue.take())
        }

        mutating func wakeSenders() -> [CheckedContinuation<Void, Never>] {
            guard queue.hasRoom || queue.isClosed else { return [] }
            defer { senders = [:] }
            return Array(senders.values)
        }
    }

    private let state: Mutex<State>

    init(limit: Int) { state = Mutex(State(queue: OutletQueue(limit: limit))) }

    /// Queues an item, whether there is room or not, so that the order is that of the calls. Whoever has more to say
    /// waits for `room` first; that bounds what is queued.
    ///
    /// - Returns: false when the stream is closed; the item is lost then.
    @discardableResult
    func add(_ item: Item) -> Bool {
        change { state in
            guard !state.queue.isClosed else { return false }
            state.queue.add(item)
            return true
        }
    }

    /// Whether there is room, or nothing can be said any more.
    var hasRoom: Bool { state.withLock { $0.queue.hasRoom || $0.queue.isClosed } }
    var isNeglected: Bool { state.withLock { $0.queue.isNeglected && !$0.queue.isClosed } }
    /// Bytes that wait.
    var size: Int { state.withLock { $0.queue.size } }

    /// Queues an item where there is room.
    func offer(_ item: Item) -> Bool {
        change { state in
            guard !state.queue.isClosed, state.queue.hasRoom else { return false }
            state.queue.add(item)
            return true
        }
    }

    /// Waits until there is room, the stream is closed, or the task is cancelled.
    func room() async {
        while !Task.isCancelled, !hasRoom { await waitForChange() }
    }

    /// The next item to write; nil when the stream is closed or the task cancelled.
    func next() async -> Item? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { (reader: CheckedContinuation<Item?, Never>) in
                change { state in
                    if Task.isCancelled { state.queue.close(discarding: true) }
                    state.reader = reader
                }
            }
        } onCancel: {
            close(discarding: true)
        }
    }

    func tick() { change { $0.queue.tick() } }

    func close(discarding: Bool = false) { change { $0.queue.close(discarding: discarding) } }

    /// Changes the state and wakes whoever waited for that.
    @discardableResult
    private func change<R: Sendable>(_ body: (inout State) -> R) -> R {
        let (result, reader, senders) = state.withLock { state in
            let result = body(&state)
            let reader = state.wakeReader()
            return (result, reader, state.wakeSenders())
        }
        if let (reader, item) = reader { reader.resume(returning: item) }
        for sender in senders { sender.resume() }
        return result
    }

    private func waitForChange() async {
        let place = state.withLock { state in
            defer { state.nextSender += 1 }
            return state.nextSender
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { sender in
                change { state in
                    // Woken by the change itself where there is room by now.
                    state.senders[place] = sender
                }
                if Task.isCancelled { leave(place) }
            }
        } onCancel: {
            leave(place)
        }
    }

    private func leave(_ place: Int) { state.withLock { $0.senders.removeValue(forKey: place) }?.resume() }
}
