internal import Core
private import Synchronization

/// `Authorization` headers by registry and scope, kept as long as their registry says they are good.
final class Tokens: Sendable {
    private struct Entry {
        let header: String
        let expires: Timestamp
    }

    private static let maximumEntries = 256

    private let entries = Mutex<[String: Entry]>([:])

    static func key(_ endpoint: Endpoint, _ access: Access) -> String {
        "\(endpoint.base) \(access.scopes(of: endpoint.repository).joined(separator: " "))"
    }

    func header(for key: String, now: Timestamp = .now) -> String? {
        entries.withLock { entries in
            guard let entry = entries[key], entry.expires > now else { return nil }
            return entry.header
        }
    }

    /// - Parameter lifetime: in seconds; a day at the most.
    func store(_ header: String, for key: String, lifetime: Int, now: Timestamp = .now) {
        entries.withLock { entries in
            if entries.count >= Self.maximumEntries { entries = entries.filter { $0.value.expires > now } }
            if entries.count >= Self.maximumEntries { entries.removeAll() }
            // A little early, so that a token does not run out on its way.
            let seconds = Int64(min(max(lifetime, 0), 86400)) - 5
            entries[key] = Entry(header: header, expires: Timestamp(seconds: now.seconds + seconds))
        }
    }

    /// Forgets a header that was refused, but not one that took its place meanwhile.
    func forget(_ header: String, for key: String) {
        entries.withLock { entries in
            if entries[key]?.header == header { entries[key] = nil }
        }
    }
}

/// What a token is asked for.
enum Access: Sendable, Hashable {
    case pull
    case push
    /// Pushing by taking a blob from another repository.
    case mount(from: String)

    /// As a sentence has it.
    var verb: String { self == .pull ? "pull from" : "push to" }

    func scopes(of repository: String) -> [String] {
        switch self {
        case .pull: ["repository:\(repository):pull"]
        case .push: ["repository:\(repository):pull,push"]
        case .mount(let source): ["repository:\(repository):pull,push", "repository:\(source):pull"]
        }
    }
}
