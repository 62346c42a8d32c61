internal import Core

/// Finished responses, for a while and in bounded memory: the oldest make room for new ones.
package struct ResponseShelf: Sendable {
    private struct Entry {
        let response: StoredResponse
        let size: Int
        var expires: Duration
    }

    private let lifetime: Duration
    private let capacity: Int
    private let maximumSize: Int
    private var entries: [String: Entry] = [:]
    /// The oldest first; deleted ones stay until it is their turn.
    private var order: [String] = []
    private var size = 0

    /// - Parameters:
    ///   - capacity: responses.
    ///   - maximumSize: bytes, all together.
    package init(lifetime: Duration = .seconds(3600), capacity: Int = 1000, maximumSize: Int = 64 << 20) {
        self.lifetime = lifetime
        self.capacity = capacity
        self.maximumSize = maximumSize
    }

    /// How the refusal begins, by which it is told from that of a model.
    static let notFound = "response not found"

    package var count: Int { entries.count }

    /// - Parameter now: since any fixed moment.
    package mutating func put(_ response: StoredResponse, at now: Duration) {
        let entry = Entry(response: response, size: response.size, expires: now + lifetime)
        _ = remove(response.id, at: now)
        guard entry.size <= maximumSize else { return }
        entries[response.id] = entry
        order.append(response.id)
        size += entry.size
        while entries.count > capacity || size > maximumSize, let oldest = order.first { drop(oldest) }
    }

    /// - Throws: `.notFound` for what was never there, was deleted, or is too old.
    package mutating func get(_ id: String, at now: Duration) throws -> StoredResponse {
        sweep(now)
        guard let entry = entries[id] else {
            throw Failure(
                .notFound, "\(Self.notFound): \(id.prefix(80))",
                advice: "Responses are kept for an hour, and not where store is false")
        }
        return entry.response
    }

    package mutating func delete(_ id: String, at now: Duration) throws {
        _ = try get(id, at: now)
        _ = remove(id, at: now)
    }

    private mutating func remove(_ id: String, at now: Duration) -> Bool {
        sweep(now)
        guard entries[id] != nil else { return false }
        drop(id)
        return true
    }

    private mutating func sweep(_ now: Duration) {
        while let oldest = order.first, entries[oldest].map({ $0.expires <= now }) ?? true { drop(oldest) }
    }

    private mutating func drop(_ id: String) {
        if let entry = entries.removeValue(forKey: id) { size -= entry.size }
        if let place = order.firstIndex(of: id) { order.remove(at: place) }
    }
}
