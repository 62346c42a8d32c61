internal import Core
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// Server-sent events towards a client, for as long as its connection and the session last.
struct EventStream: Sendable {
    let outlet: Outlet
    let disconnection: Promise<Void>
    /// Written before what comes by the outlet.
    var first: [ByteBuffer] = []
    /// Called when nothing more is written, whatever the reason.
    let onEnd: @Sendable () -> Void

    /// - Parameter held: kept until the stream has ended, also where nobody ever collects it.
    func response(holding held: some AnyObject & Sendable) -> Response {
        let end = Ending { [outlet, onEnd] in
            outlet.close(discarding: true)
            onEnd()
        }
        return Response(
            status: .ok,
            headers: [
                .contentType: "text/event-stream", .cacheControl: "no-cache", .accelBuffering: "no",
            ],
            body: ResponseBody { [self] writer in
                defer { withExtendedLifetime((held, end)) {} }
                for bytes in first { try await writer.write(bytes) }
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
        case .message(let message), .last(let message): event("message", message)
        case .keepAlive: ByteBuffer(string: ": keep-alive\n\n")
        }
    }

    /// One event; data with line breaks is sent as several lines, as the format wants it.
    static func event(_ name: String, _ data: ByteBuffer) -> ByteBuffer {
        var out = ByteBuffer()
        out.reserveCapacity(data.readableBytes + name.utf8.count + 24)
        out.writeString("event: \(name)\n")
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

extension HTTPField.Name {
    static let accelBuffering = known("X-Accel-Buffering")
    static let sessionID = known("Mcp-Session-Id")
    static let protocolVersion = known("MCP-Protocol-Version")

    /// For names that are header names beyond doubt; the type has no initialiser without an optional.
    private static func known(_ name: String) -> HTTPField.Name { HTTPField.Name(name) ?? .via }
}
