/// Which servers a client has addressed.
package enum Scope: Sendable, Hashable {
    /// All that it may use, behind one list: `/mcp` and `/sse`.
    case all
    /// One, under its own names: `/servers/NAME/mcp` and `/servers/NAME/sse`.
    case server(String)

    /// What a scope's paths begin with.
    var prefix: String {
        switch self {
        case .all: ""
        case .server(let name): "/servers/\(name)"
        }
    }
}

/// What a path leads to.
struct Route: Sendable, Hashable {
    enum Endpoint: String, Sendable, Hashable {
        /// Streamable HTTP.
        case mcp
        /// The stream of the transport of 2024-11-05, and where its clients post to.
        case sse
        case message
    }

    let endpoint: Endpoint
    let scope: Scope

    init(_ endpoint: Endpoint, _ scope: Scope = .all) {
        self.endpoint = endpoint
        self.scope = scope
    }

    /// - Returns: nil for any other path. Names of servers have no characters that a path would have to escape.
    init?(path: String) {
        let parts = path.utf8.count <= 256 ? path.split(separator: "/", omittingEmptySubsequences: false) : []
        guard parts.first == "", let endpoint = parts.last.flatMap({ Endpoint(rawValue: String($0)) }) else {
            return nil
        }
        switch parts.count {
        case 2: self.init(endpoint)
        case 4 where parts[1] == "servers" && !parts[2].isEmpty: self.init(endpoint, .server(String(parts[2])))
        default: return nil
        }
    }
}
