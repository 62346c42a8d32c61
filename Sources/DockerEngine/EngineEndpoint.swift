package import Core
internal import Crypto
internal import NIOCore
package import SystemPackage

/// Where the Docker Engine's API is reached.
package enum EngineEndpoint: Sendable, Hashable, CustomStringConvertible {
    case unix(FilePath)
    /// Plain HTTP; the engine's owner has chosen that.
    case tcp(host: String, port: Int)

    /// Where docker looks when an address names no port.
    private static let usualPort: UInt16? = 2375

    package var description: String {
        switch self {
        case .unix(let path): "unix://\(path)"
        case .tcp(let host, let port): "tcp://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        }
    }

    /// Reads docker's notation: `unix:///path` or `tcp://host:port`.
    ///
    /// - Throws: `.unsupported` for what is not spoken here; `.invalidArgument` for what is no address.
    package init(parsing text: String) throws {
        guard let mark = text.firstRange(of: "://") else {
            throw Failure(
                .invalidArgument, "the Docker host \"\(text)\" is no address",
                advice: "Write unix:///path/to/docker.sock or tcp://host:port.")
        }
        let rest = text[mark.upperBound...]
        switch text[..<mark.lowerBound] {
        case "unix":
            guard rest.hasPrefix("/"), rest.utf8.count <= Paths.maximumSocketPath else {
                throw Failure(.invalidArgument, "the Docker host \"\(text)\" has no usable socket path")
            }
            self = .unix(FilePath(String(rest)))
        case "tcp", "http":
            let authority = rest.prefix { $0 != "/" }
            let colon = authority.last == "]" ? nil : authority.lastIndex(of: ":")
            let host = authority[..<(colon ?? authority.endIndex)]
            let number = colon.map { UInt16(authority[authority.index(after: $0)...]) } ?? Self.usualPort
            guard let port = number, !host.isEmpty else {
                throw Failure(.invalidArgument, "the Docker host \"\(text)\" has no usable name or port")
            }
            self = .tcp(host: String(host.hasPrefix("[") ? host.dropFirst().dropLast() : host), port: Int(port))
        case let scheme:
            throw Failure(
                .unsupported, "Docker hosts of the kind \(scheme):// cannot be used yet",
                advice: "Forward the engine's socket and set DOCKER_HOST=unix://… to it.")
        }
    }

    /// The engine that docker itself would use: a host given, a context given, then the current context.
    ///
    /// - Parameters:
    ///   - host: docker's `--host`; else `DOCKER_HOST` counts.
    ///   - context: docker's `--context`; else `DOCKER_CONTEXT`, else the one `docker context use` has chosen.
    ///   - wantsTLS: docker's `--tls` and its kin.
    package static func resolve(
        paths: Paths, host: String? = nil, context: String? = nil, wantsTLS: Bool = false
    ) throws -> EngineEndpoint {
        let endpoint = try chosen(paths: paths, host: host, context: context)
        // Refuses rather than sending in the clear what was meant to be encrypted.
        if wantsTLS, case .tcp = endpoint { throw encrypted }
        return endpoint
    }

    /// The engine of a command that docker has passed its own flags to.
    package static func resolve(paths: Paths, globals: PluginGlobals) throws -> EngineEndpoint {
        try resolve(paths: paths, host: globals.host, context: globals.context, wantsTLS: globals.wantsTLS)
    }

    private static func chosen(paths: Paths, host: String?, context: String?) throws -> EngineEndpoint {
        if let host { return try plain(host, paths) }
        // `default` means: as if there were no contexts.
        if let context, context != "default" { return try named(context, paths) }
        if let host = paths.setting("DOCKER_HOST") { return try plain(host, paths) }
        if context == nil, let context = paths.setting("DOCKER_CONTEXT") ?? currentContext(paths) {
            return try named(context, paths)
        }
        return usual(paths)
    }

    private static func plain(_ text: String, _ paths: Paths) throws -> EngineEndpoint {
        let endpoint = try EngineEndpoint(parsing: text)
        if case .tcp = endpoint, paths.setting("DOCKER_TLS_VERIFY") != nil { throw encrypted }
        return endpoint
    }

    private static var encrypted: Failure {
        Failure(
            .unsupported, "Docker hosts with TLS cannot be used yet",
            advice: "Forward the engine's socket and set DOCKER_HOST=unix://… to it.")
    }

    private static func usual(_ paths: Paths) -> EngineEndpoint {
        let system = FilePath("/var/run/docker.sock")
        let own = paths.home.appending(".docker/run/docker.sock")
        return .unix(!Files.exists(system) && Files.exists(own) ? own : system)
    }

    private static func currentContext(_ paths: Paths) -> String? {
        guard let bytes = try? Files.read(paths.docker.appending("config.json"), limit: 4 << 20),
            let name = try? JSON(parsing: bytes)["currentContext"]?.string, !name.isEmpty
        else { return nil }
        return name
    }

    private static func named(_ context: String, _ paths: Paths) throws -> EngineEndpoint {
        if context == "default" { return usual(paths) }
        let hash = SHA256.hash(data: Array(context.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let file = paths.docker.appending("contexts/meta/\(hash)/meta.json")
        guard let bytes = try? Files.read(file, limit: 1 << 20) else {
            throw Failure(
                .notFound, "there is no docker context \"\(context)\"",
                advice: "`docker context ls` lists those there are.")
        }
        guard let host = try JSON(parsing: bytes)["Endpoints"]?["docker"]?["Host"]?.string else {
            throw Failure(.corrupted, "the docker context \"\(context)\" names no host (\(file))")
        }
        let endpoint = try EngineEndpoint(parsing: host)
        if case .tcp = endpoint, Files.exists(paths.docker.appending("contexts/tls/\(hash)")) { throw encrypted }
        return endpoint
    }
}
