internal import HTTPTypes
internal import Hummingbird
internal import NIOHTTP1

/// Which header fields pass a relay.
enum RelayHeaders {
    /// Fields about one connection, never about the message (RFC 9110 §7.6.1).
    private static let hopByHop: Set<String> = [
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade",
    ]
    /// Fields that are for us and no business of an engine.
    private static let ours = hopByHop.union([
        "host", "content-length", "expect", "origin", "referer", "authorization", "cookie", "x-preload-only",
    ])
    /// What an engine would say about itself.
    private static let engines = hopByHop.union(["server", "date", "content-length"])

    /// - Parameter bytes: how many the body has.
    static func up(_ fields: HTTPFields, bytes: Int) -> HTTPHeaders {
        let named = named(in: fields[values: .connection])
        // A request over a unix socket has no host of its own, and engines insist on one.
        var headers: HTTPHeaders = ["host": "localhost", "content-length": String(bytes)]
        for field in fields {
            let name = field.name.canonicalName
            if ours.contains(name) || named.contains(name) { continue }
            headers.add(name: name, value: field.value)
        }
        return headers
    }

    static func down(_ headers: HTTPHeaders) -> HTTPFields {
        let named = named(in: headers["connection"])
        var fields = HTTPFields()
        for (name, value) in headers {
            guard let name = HTTPField.Name(name) else { continue }
            let lower = name.canonicalName
            if engines.contains(lower) || named.contains(lower) || lower.hasPrefix("access-control-") { continue }
            fields.append(HTTPField(name: name, value: value))
        }
        return fields
    }

    private static func named(in values: [String]) -> Set<String> {
        var named = Set<String>()
        // Nearly always it is this word alone, which names no field.
        for value in values where value != "keep-alive" {
            named.formUnion(value.split(separator: ",").map { $0.filter { !$0.isWhitespace }.lowercased() })
        }
        return named
    }
}
