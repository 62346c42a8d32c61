internal import Core
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// Server-sent events towards a client, for as long as its connection and the session last.
struct EventStream: Sendable {
    /// How long clients wait before they come back to a stream that broke.
    static let retry = Duration.seconds(1)

    let outlet: Outlet
    let context: HTTPContext
    /// Written before what comes by the outlet.
    var first: [ByteBuffer] = []
    /// Whether nothing comes by the outlet.
    var isOver = false
    /// Called when nothing more is written, whatever the reason.
    let onEnd: @Sendable () -> Void

    /// - Parameter held: kept until the stream has ended, also where nobody ever collects it.
    func response(holding held: some AnyObject & Sendable) async throws -> Response {
        let disconnection = try await context.disconnection()
        let end = Ending { [outlet, onEnd] in
            outlet.close(discarding: true)
            onEnd()
        }
        return Response(
            status: .ok,
            headers: [
                .contentType: "text/event-stream", .cacheControl: "no-cache, no-transform", .accelBuffering: "no",
            ],
            body: ResponseBody { [self] writer in
                defer { withExtendedLifetime((held, end)) {} }
                for bytes in first { try await writer.write(bytes) }
                guard !isOver else { return try await writer.finish(nil) }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        try await disconnection.value
                        outlet.close(discarding: true)
                    }
                    defer { group.cancelAll() }
                    while let item = await outlet.next() {
                        try await writer.write(Self.bytes(item))
                        if case .last = item { return }
                    }
                }
                try await writer.finish(nil)
            })
    }

    static func bytes(_ item: Outlet.Item) -> ByteBuffer {
        switch item {
        case .message(let event), .last(let event): bytes(event)
        case .keepAlive: ByteBuffer(string: ": keep-alive\n\n")
        }
    }

    static func bytes(_ event: StreamEvent) -> ByteBuffer { bytes("message", event.bytes, id: event.id) }

    /// The event without a message that tells a client where a stream begins and when to come back.
    static func opening(_ position: EventID) -> ByteBuffer {
        ByteBuffer(string: "id: \(position)\nretry: \(retry.milliseconds)\ndata: \n\n")
    }

    /// One event; data with line breaks is sent as several lines, as the format wants it.
    static func bytes(_ name: String, _ data: ByteBuffer, id: EventID? = nil) -> ByteBuffer {
        var out = ByteBuffer()
        out.reserveCapacity(data.readableBytes + name.utf8.count + 48)
        out.writeString("event: \(name)\n")
        if let id { out.writeString("id: \(id)\n") }
        for line in data.readableBytesView.split(
            omittingEmptySubsequences: false, whereSeparator: { $0 == 10 || $0 == 13 })
        {
            out.writeString("data: ")
            out.writeBytes(line)
            out.writeString("\n")
        }
        out.writeString("\n")
        return out
    }

    private final class Ending: Sendable {
        private let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        deinit { body() }
    }
}
