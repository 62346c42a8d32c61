internal import Core
internal import NIOCore

/// What docker's `config.json` says of credentials.
struct DockerConfig: Sendable {
    /// By server, see `server(_:)`.
    private(set) var entries: [String: Credential] = [:]
    /// Names of helper programs, by server.
    private(set) var helpers: [String: String] = [:]
    /// The helper for all other servers.
    private(set) var store: String?

    static let maximumBytes = 1 << 20

    /// - Throws: `.corrupted` for what is no JSON object; entries that make no sense are passed over.
    init(parsing bytes: ByteBuffer) throws {
        let json: JSON
        do { json = try JSON(parsing: bytes) } catch { throw Failure(.corrupted, "it is not JSON", cause: error) }
        guard json.object != nil else { throw Failure(.corrupted, "it is not a JSON object") }
        for member in json["auths"]?.object?.members ?? [] {
            guard let credential = Self.credential(member.value) else { continue }
            // A key with a path of its own is the less exact one.
            let server = Self.server(member.name)
            if entries[server] == nil || member.name == server { entries[server] = credential }
        }
        for member in json["credHelpers"]?.object?.members ?? [] {
            if let name = member.value.string { helpers[Self.server(member.name)] = name }
        }
        store = json["credsStore"]?.string.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The helper that is asked for a server's credentials.
    func helper(for server: String) -> String? { helpers[server] ?? store }

    /// One name for a registry, of the many forms in which docker has written it: `host[:port]`, for Docker Hub
    /// `docker.io`.
    static func server(_ text: String) -> String {
        var rest = text.lowercased()[...]
        for scheme in ["https://", "http://"] where rest.hasPrefix(scheme) { rest = rest.dropFirst(scheme.count) }
        rest = rest.prefix { $0 != "/" }
        if rest.hasSuffix(":443") { rest = rest.dropLast(4) }
        return hub.contains(String(rest)) ? Reference.defaultRegistry : String(rest)
    }

    private static let hub = ["index.docker.io", "registry-1.docker.io", Reference.defaultRegistry]

    private static func credential(_ entry: JSON) -> Credential? {
        if let token = entry["identitytoken"]?.string, !token.isEmpty { return .identityToken(token) }
        if let token = entry["registrytoken"]?.string, !token.isEmpty { return .registryToken(token) }
        if let auth = entry["auth"]?.string, let bytes = Base64.decode(auth),
            let text = String(validating: bytes, as: UTF8.self), let colon = text.firstIndex(of: ":")
        {
            // docker pads some passwords with zeros.
            let secret = text[text.index(after: colon)...].prefix { $0 != "\0" }
            return Credential(user: String(text[..<colon]), secret: String(secret))
        }
        return Credential(user: entry["username"]?.string ?? "", secret: entry["password"]?.string ?? "")
    }
}
