internal import NIOCore

/// Whom a connection lets in, which its own addresses decide.
enum Audience: Sendable, Hashable {
    /// This machine's own: the unix socket, or loopback at both ends.
    case everything
    /// Containers, who come to the address of Docker's bridge: they may ask models, and manage nothing.
    case containers
    /// Whoever else reaches an address that was opened: the same, with a key.
    case keyHolders

    /// - Parameter bridges: the addresses that only containers of this machine reach.
    init(local: SocketAddress?, remote: SocketAddress?, bridges: Set<String>) {
        if local?.protocol == .unix {
            self = .everything
        } else if let here = local?.ipAddress, Self.isLoopback(here), remote?.ipAddress.map(Self.isLoopback) ?? false {
            self = .everything
        } else if let here = local?.ipAddress, bridges.contains(Self.plain(here)) {
            self = .containers
        } else {
            self = .keyHolders
        }
    }

    static func isLoopback(_ address: String) -> Bool {
        let plain = plain(address)
        return plain == "::1" || plain.hasPrefix("127.") && plain.split(separator: ".").count == 4
    }

    /// An IPv4 address that a socket of both kinds shows as one of IPv6.
    private static func plain(_ address: String) -> String {
        address.hasPrefix("::ffff:") && address.contains(".") ? String(address.dropFirst(7)) : address
    }

    /// What may be asked for by whom models alone are open to.
    static func isInference(_ method: String, _ path: String) -> Bool {
        let parts = path.split(separator: "/")
        if method == "GET" || method == "HEAD" {
            switch parts.first {
            case nil: return true
            case "version": return parts.count == 1
            case "v1": return parts.dropFirst().first == "models" || parts.dropFirst().first == "responses"
            case "anthropic": return parts.count >= 3 && parts[1] == "v1" && parts[2] == "models"
            case "api": return parts.count == 2 && ["tags", "version", "ps"].contains(parts[1])
            case "responses": return true
            case "engines":
                if parts.count == 2, parts[1] == "status" { return true }
                guard let version = parts.firstIndex(of: "v1"), version <= 2, version + 1 < parts.count else {
                    return false
                }
                return ["models", "responses"].contains(parts[version + 1])
            default: return false
            }
        }
        if method == "DELETE" { return parts.dropLast().last == "responses" }
        guard method == "POST", let last = parts.last, inferencePaths.contains(last) else { return false }
        switch parts.first {
        case "v1", "anthropic", "api": return true
        case "responses", "rerank", "score": return parts.count == 1
        case "engines": return parts.count >= 2
        default: return false
        }
    }

    private static let inferencePaths: Set<Substring> = [
        "completions", "embeddings", "rerank", "score", "messages", "count_tokens", "responses", "chat", "generate",
        "embed", "show", "tokenize", "detokenize",
    ]
}
