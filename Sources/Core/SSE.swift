package import NIOCore

/// Server-sent events, as the WHATWG HTML standard defines the stream.
package enum SSE {
    package struct Event: Sendable, Hashable {
        /// The event's name; nil where the stream names none (then it is a `message`).
        package var name: String?
        package var data: String
        package var id: String?

        package init(name: String? = nil, data: String, id: String? = nil) {
            self.name = name
            self.data = data
            self.id = id
        }
    }

    /// Bytes in, events out. Comments are passed over; an unfinished event at the end is dropped.
    package struct Parser: Sendable {
        private var lines: LineSplitter
        private let maximumEvent: Int
        private var name: String?
        private var data: [String] = []
        private var size = 0
        private var id: String?
        /// The id of the last event that was whole, with data or without: what to come back with.
        package private(set) var lastID: String?
        /// How long the stream wants to be waited for before it is asked again.
        package private(set) var retry: Duration?

        /// - Parameter maximumEvent: bytes the data of one event may have.
        package init(maximumEvent: Int = 16 << 20) {
            self.maximumEvent = maximumEvent
            lines = LineSplitter(maximumLength: maximumEvent)
        }

        package mutating func append(_ bytes: ByteBuffer) throws -> [Event] {
            var events: [Event] = []
            for line in try lines.append(bytes) {
                if let event = try take(String(buffer: line)) { events.append(event) }
            }
            return events
        }

        private mutating func take(_ line: String) throws -> Event? {
            if line.isEmpty {
                defer { (name, data, size) = (nil, [], 0) }
                lastID = id
                return data.isEmpty ? nil : Event(name: name, data: data.joined(separator: "\n"), id: id)
            }
            let colon = line.firstIndex(of: ":")
            let field = line[..<(colon ?? line.endIndex)]
            var value = colon.map { line[line.index(after: $0)...] } ?? ""
            if value.first == " " { value.removeFirst() }
            switch field {
            case "event": name = String(value)
            case "data":
                size += value.utf8.count + 1
                guard size <= maximumEvent else {
                    throw Failure(.resourceExhausted, "a server-sent event is larger than \(ByteCount(maximumEvent))")
                }
                data.append(String(value))
            case "id": if !value.utf8.contains(0) { id = String(value) }
            case "retry":
                if value.utf8.allSatisfy({ (48...57).contains($0) }), let milliseconds = Int64(value) {
                    retry = .milliseconds(milliseconds)
                }
            default: break
            }
            return nil
        }
    }
}
