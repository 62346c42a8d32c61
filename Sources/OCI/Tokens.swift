internal import Core
private import Synchronization

/// Bearer tokens by registry and scope, kept as long as their registry says they are good.
final class Tokens: Sendable {
    private struct Entry {
        let token: String
        let expires: Timestamp
    }

    private static let maximumEntries = 256

    private let entries = Mutex<[String: Entry]>([:])

    static func key(_ endpoint: Endpoint, _ access: Access) -> String {
        "\(endpoint.base) \(endpoint.repository) \(access.rawValue)"
    }

    func token(for key: String, now: Timestamp = .now) -> String? {
        entries.withLock { entries in
            guard let entry = entries[key], entry.expires > now else { return nil }
            return entry.token
        }
    }

    func store(_ token: String, for key: String, lifetime: Int, now: Timestamp = .now) {
        entries.withLock { entries in
            if entries.count >= Self.maximumEntries { entries = entries.filter { $0.value.expires > now } }
            if entries.count >= Self.maximumEntries { entries.removeAll() }
            // A little early, so that a token does not run out on its way.
            let seconds = Int64(min(max(lifetime, 0), 86400)) - 5
            entries[key] = Entry(token: token, expires: Timestamp(seconds: now.seconds + seconds))
        }
    }

    func forget(_ key: String) { entries.withLock { _ = $0.removeValue(forKey: key) } }
}

/// What a token is asked for.
enum Access: String, Sendable {
    case pull
    case push

    var actions: String { self == .pull ? "pull" : "pull,push" }
}
