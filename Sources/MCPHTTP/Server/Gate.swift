internal import Core

/// Decides on a request's addressing before anything else is looked at: a web page may neither reach the gateway under
/// a name of its own (DNS rebinding) nor call it across origins, and nobody gets in without the token.
struct Gate: Sendable {
    /// The address that was bound, as it was written.
    let host: String
    /// Other names of this machine that clients use, in lower case.
    var names: Set<String> = []
    let authorization: Authorization

    enum Refusal: Error, Hashable {
        case host
        case origin
        case unauthorized
    }

    /// What the request says about where it comes from and goes to.
    struct Claims {
        var authority: String?
        var origin: String?
        var authorization: String?
        /// Whether the path is one that everybody may ask for.
        var isOpenPath = false
    }

    /// Who asks, if that is somebody who may.
    func admit(_ claims: Claims) throws(Refusal) -> Principal {
        guard isAllowed(authority: claims.authority) else { throw .host }
        if let origin = claims.origin, !Self.isLocal(origin: origin) { throw .origin }
        if claims.isOpenPath { return .anybody }
        guard let principal = authorization.principal(header: claims.authorization) else { throw .unauthorized }
        return principal
    }

    private func isAllowed(authority: String?) -> Bool {
        guard let name = authority.flatMap(Authority.host(of:)) else { return false }
        if Self.isLoopback(name) || name == host.lowercased() || names.contains(name) { return true }
        guard Self.isWildcard(host) else { return false }
        // Listening everywhere, our names are the network's business. A page that rebinds one of them still lacks the
        // token; where there is none, only addresses count, which cannot be rebound.
        if authorization.tokens != nil { return true }
        return Self.isAddress(name)
    }

    static func isLocal(origin: String) -> Bool {
        let lower = origin.lowercased()
        for scheme in ["http://", "https://"] where lower.hasPrefix(scheme) {
            return Authority.host(of: String(lower.dropFirst(scheme.count))).map(isLoopback) ?? false
        }
        return false
    }

    /// Names and addresses that only this machine answers to.
    static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host == "::1" || isIPv4(host) && host.hasPrefix("127.")
    }

    static func isWildcard(_ host: String) -> Bool { ["0.0.0.0", "::", "*", ""].contains(host) }

    private static func isAddress(_ host: String) -> Bool { host.contains(":") || isIPv4(host) }

    private static func isIPv4(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { $0.allSatisfy(\.isNumber) && UInt8($0) != nil }
    }
}
