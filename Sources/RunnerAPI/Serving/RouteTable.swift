internal import HTTPTypes
internal import Hummingbird
internal import Synchronization

/// Which routes there are, to tell a wrong method from a wrong path.
final class RouteTable: Sendable {
    private struct Entry {
        let parts: [Substring]
        let method: HTTPRequest.Method
    }

    private let entries = Mutex<[Entry]>([])

    /// Takes note of what has been added to a router.
    func note(_ routes: [Router<Context>.RouteDescription]) {
        entries.withLock { entries in
            entries = routes.map { Entry(parts: $0.path.description.split(separator: "/"), method: $0.method) }
        }
    }

    /// The methods that a path has, for `Allow`; empty where there is no such path.
    func methods(of path: String) -> [String] {
        let parts = path.split(separator: "/")
        let found = entries.withLock { $0.filter { Self.matches($0.parts, parts) } }.map(\.method.rawValue)
        return Set(found + (found.contains("GET") ? ["HEAD"] : []) + (found.isEmpty ? [] : ["OPTIONS"])).sorted()
    }

    private static func matches(_ pattern: [Substring], _ parts: [Substring]) -> Bool {
        for (index, part) in pattern.enumerated() {
            if part == "**" { return parts.count > index }
            guard index < parts.count, part.hasPrefix(":") || part.hasPrefix("{") || part == "*" || part == parts[index]
            else { return false }
        }
        return pattern.count == parts.count
    }
}
