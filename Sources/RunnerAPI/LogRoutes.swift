internal import Core
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import ServiceLifecycle
internal import SystemPackage

/// `GET /logs`: what the daemon and its engines have written, and with `follow` what they go on to write.
struct LogRoutes: Sendable {
    /// The daemon's log file; nil when it writes to its terminal or whoever runs it.
    let log: FilePath?

    /// How often a followed log is looked at.
    private static let interval = Duration.milliseconds(100)

    func add(to router: Router<Context>) {
        router.get("/logs") { request, context in
            let follow = try Self.boolean("follow", in: request)
            let showsEngines = try !Self.boolean("no-engines", in: request)
            guard let log else {
                throw Failure(
                    .notFound, "this model runner writes its log to stderr and keeps no log file",
                    advice: "Look where `wharf serve` runs.")
            }
            guard Files.exists(log) else { throw Failure(.notFound, "there is no log: \(log)") }
            let disconnection = try await context.disconnection()
            return Response(
                status: .ok, headers: [.contentType: "text/plain; charset=utf-8"],
                body: ResponseBody { writer in
                    var reader = try LogReader(log)
                    var filter = LogFilter(showsEngines: showsEngines)
                    while true {
                        while disconnection.current == nil, let bytes = try reader.next() {
                            let shown = try filter.take(bytes)
                            if shown.readableBytes > 0 { try await writer.write(shown) }
                        }
                        // Who follows is no reason for a daemon to stay.
                        guard follow, disconnection.current == nil, !Task.isShuttingDownGracefully else { break }
                        try await Task.sleep(for: Self.interval)
                    }
                    let rest = filter.finish()
                    if rest.readableBytes > 0 { try await writer.write(rest) }
                    try await writer.finish(nil)
                })
        }
    }

    /// A query parameter as Go reads booleans; one without a value is true.
    static func boolean(_ name: String, in request: Request) throws -> Bool {
        guard ModelRoutes.flag(name, in: request) || request.uri.queryParameters[name[...]] != nil else { return false }
        switch request.uri.queryParameters[name[...]].map(String.init) ?? "" {
        case "", "1", "t", "T", "true", "TRUE", "True": return true
        case "0", "f", "F", "false", "FALSE", "False": return false
        case let value: throw Failure(.invalidArgument, "\(name) is \"\(value.prefix(40))\", not true or false")
        }
    }
}
