internal import Core
internal import SystemPackage

/// Where a registry's credentials are found. Looked up when a registry asks for them and not kept, so that
/// `docker login` helps a daemon that runs already.
struct Credentials: Sendable {
    let environment: Paths
    var helperLimit = Duration.seconds(30)

    /// - Parameter authority: the registry, `host[:port]`; nobody else's credentials are looked at.
    /// - Returns: nil where there are none.
    /// - Throws: when docker's `config.json` cannot be read or its helper fails.
    func find(for authority: String) async throws -> Credential? {
        let server = DockerConfig.server(authority)
        // These variables name no registry. They have always meant Docker Hub, and are shown to nobody else.
        if server == Reference.defaultRegistry, let credential = fromVariables { return credential }
        let path = environment.docker.appending("config.json")
        guard Files.exists(path) else { return nil }
        let config: DockerConfig
        do { config = try DockerConfig(parsing: Files.read(path, limit: DockerConfig.maximumBytes)) } catch {
            throw Failure.wrapping(error, "cannot use \(path)")
        }
        if let name = config.helper(for: server) {
            let helper = try CredentialHelper(name: name, environment: environment.environment, limit: helperLimit)
            for address in Self.addresses(of: server) {
                if let credential = try await helper.credential(for: address) { return credential }
            }
        }
        return config.entries[server]
    }

    private var fromVariables: Credential? {
        for prefix in ["DOCKER", "DOCKER_HUB"] {
            let user = environment.setting(prefix == "DOCKER" ? "DOCKER_USERNAME" : "DOCKER_HUB_USER")
            if let user, let secret = environment.setting("\(prefix)_PASSWORD") {
                return Credential(user: user, secret: secret)
            }
        }
        return nil
    }

    /// Under which addresses helpers keep a server; the first is the one that docker uses.
    private static func addresses(of server: String) -> [String] {
        server == Reference.defaultRegistry ? ["https://index.docker.io/v1/"] : [server, "https://\(server)"]
    }

    /// What to type to get credentials.
    static func login(_ authority: String) -> String {
        let server = DockerConfig.server(authority)
        return server == Reference.defaultRegistry ? "docker login" : "docker login \(server)"
    }
}
