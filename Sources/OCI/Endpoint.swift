internal import Core

/// Where a reference's registry is reached.
struct Endpoint: Sendable {
    /// Without a path.
    let base: WebAddress
    let repository: String

    /// `docker.io` is `DEFAULT_REGISTRY`, else Docker Hub. Loopback and `*.local` speak plain http, and so do all
    /// others but Docker Hub where `INSECURE_REGISTRY=true`.
    ///
    /// - Throws: `.invalidArgument` when `DEFAULT_REGISTRY` is no address.
    init(_ reference: Reference, environment: Paths) throws {
        repository = reference.repository
        let hub = "registry-1.docker.io"
        var authority = reference.registry
        if authority == Reference.defaultRegistry {
            authority = environment.setting("DEFAULT_REGISTRY") ?? hub
            guard ReferenceGrammar.isRegistry(authority) else {
                throw Failure(
                    .invalidArgument, "DEFAULT_REGISTRY \"\(authority)\" is not a registry address",
                    advice: "Write it as HOST or HOST:PORT")
            }
            if authority == "index.docker.io" || authority == Reference.defaultRegistry { authority = hub }
        }
        let insecure = environment.setting("INSECURE_REGISTRY")?.lowercased() == "true" && authority != hub
        let host = WebAddress(isSecure: true, authority: authority, target: "/").host
        let plain = insecure || Self.isLoopback(host) || host.hasSuffix(".local")
        base = WebAddress(isSecure: !plain, authority: authority, target: "/")
    }

    static func isLoopback(_ host: String) -> Bool { ["localhost", "127.0.0.1", "[::1]"].contains(host) }

    /// The address of `/v2/<repository>/<path>`.
    func address(_ path: String) -> WebAddress {
        WebAddress(isSecure: base.isSecure, authority: base.authority, target: "/v2/\(repository)/\(path)")
    }

    /// As people know the registry, for messages.
    var name: String { base.authority }
}
