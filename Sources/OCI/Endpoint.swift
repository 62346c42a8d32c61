internal import Core

/// Where a reference's registry is reached.
struct Endpoint: Sendable {
    /// Its path stands before `/v2/`; `/` but for mirrors.
    let base: WebAddress
    let repository: String
    /// What is asked before this one where something is read.
    let mirrors: [WebAddress]

    /// `docker.io` is `DEFAULT_REGISTRY`, else Docker Hub. Loopback and `*.local` speak plain http, and so do all
    /// others but Docker Hub where `INSECURE_REGISTRY=true`.
    ///
    /// `docker.io` has the mirrors of `MODEL_RUNNER_REGISTRY_MIRRORS`.
    ///
    /// - Throws: `.invalidArgument` when `DEFAULT_REGISTRY` or a mirror is no address.
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
        mirrors = try reference.registry == Reference.defaultRegistry ? Self.mirrors(environment) : []
    }

    /// The same repository at a mirror.
    init(mirror: WebAddress, repository: String) {
        base = mirror
        self.repository = repository
        mirrors = []
    }

    private static let maximumMirrors = 8

    /// A comma list of `[http://|https://]HOST[:PORT][/PREFIX]`.
    private static func mirrors(_ environment: Paths) throws -> [WebAddress] {
        let list = environment.setting("MODEL_RUNNER_REGISTRY_MIRRORS")?.split(separator: ",") ?? []
        return try list.prefix(maximumMirrors).compactMap { entry in
            let text = entry.filter { !$0.isWhitespace }
            if text.isEmpty { return nil }
            guard let address = WebAddress(text.contains("://") ? text : "https://\(text)"),
                !address.target.contains("?")
            else {
                throw Failure(
                    .invalidArgument,
                    "MODEL_RUNNER_REGISTRY_MIRRORS names \"\(text.prefix(120))\", which is no address",
                    advice: "Write mirrors as HOST[:PORT][/PREFIX], with commas between them")
            }
            return address
        }
    }

    static func isLoopback(_ host: String) -> Bool { ["localhost", "127.0.0.1", "[::1]"].contains(host) }

    /// The address of `/v2/<repository>/<path>`.
    func address(_ path: String) -> WebAddress {
        base.under("/v2/\(repository)/\(path)")
    }

    /// As people know the registry, for messages.
    var name: String { base.authority }
}
