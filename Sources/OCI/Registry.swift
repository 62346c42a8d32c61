package import AsyncHTTPClient
package import Core
internal import NIOCore
internal import NIOHTTP1

/// A client of the OCI distribution API, for any registry a reference names.
package struct Registry: Sendable {
    /// The ways out, for other clients of the same daemon.
    package let connections: Connections
    let environment: Paths
    let userAgent: String
    let smallAnswerLimit: Duration
    let tokens = Tokens()
    let history = HostHistory()
    let credentials: Credentials
    let pause: @Sendable (Duration) async throws -> Void
    var retries = RetryPolicy()
    var addresses = AddressGuard()
    var sizes = BlobUpload.Sizes()
    /// What is waited for at least, while a blob comes.
    var pace = Pace()
    var now: @Sendable () -> ContinuousClock.Instant = { .now }

    /// A registry client that goes out directly, whatever the environment says of proxies; see `with`.
    ///
    /// - Parameters:
    ///   - client: best made with `clientConfiguration`, and shut down by its owner.
    ///   - smallAnswerLimit: how long the body of anything but a blob may take, however it trickles.
    ///   - pause: waits between attempts.
    package init(
        client: HTTPClient, environment: Paths, userAgent: String, smallAnswerLimit: Duration = .seconds(60),
        pause: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        self.init(
            connections: Connections(direct: client, environment: environment), environment: environment,
            userAgent: userAgent, smallAnswerLimit: smallAnswerLimit, pause: pause)
    }

    init(
        connections: Connections, environment: Paths, userAgent: String, smallAnswerLimit: Duration,
        pause: @escaping @Sendable (Duration) async throws -> Void
    ) {
        self.connections = connections
        self.environment = environment
        self.userAgent = userAgent
        self.smallAnswerLimit = smallAnswerLimit
        self.pause = pause
        credentials = Credentials(environment: environment)
    }

    /// Runs `body` with a client that goes through the proxies which the environment names.
    ///
    /// - Throws: `.invalidArgument` when `HTTP_PROXY` or `HTTPS_PROXY` is no address; what `body` throws.
    package static func with<R: Sendable>(
        environment: Paths, userAgent: String, _ body: (Registry) async throws -> R
    ) async throws -> R {
        try await Connections.with(environment: environment) { connections in
            try await body(
                Registry(
                    connections: connections, environment: environment, userAgent: userAgent,
                    smallAnswerLimit: .seconds(60), pause: { try await Task.sleep(for: $0) }))
        }
    }

    /// After which a peer that sends nothing, or takes nothing, is given up.
    static let silence = TimeAmount.seconds(60)

    /// What a client needs to be good at this: redirects are followed here, where their targets are checked, a refused
    /// connection is an answer and not a reason to try for ten seconds, and a silent peer is given up.
    package static var clientConfiguration: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(10), read: silence, write: silence))
        configuration.connectionPool.retryConnectionEstablishment = false
        // Large pieces: each one wakes two threads on its way, and gigabytes in 64 KiB are many of them.
        configuration.http1_1ConnectionDebugInitializer = { channel in
            channel.setOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 4 << 10, initial: 64 << 10, maximum: 512 << 10))
        }
        return configuration
    }

    /// The manifest a reference stands for.
    ///
    /// - Throws: `.notFound`, `.unauthorized`, `.unavailable`; `.corrupted` when the answer is not the manifest asked for.
    package func resolve(_ reference: Reference) async throws -> Manifest {
        let endpoint = try Endpoint(reference, environment: environment)
        return try await naming("cannot read the manifest of \(reference)") {
            let response = try await exchange(
                Exchange(
                    .GET, endpoint.address("manifests/\(reference.target)"),
                    headers: [
                        "Accept": [
                            MediaType.manifest, MediaType.dockerManifest, MediaType.index, MediaType.dockerManifestList,
                        ].joined(separator: ", ")
                    ]),
                at: endpoint, for: .pull)
            try await check(response, at: endpoint, what: "\(reference)")
            let type = response.headers.first(name: "Content-Type") ?? "no content type"
            let bytes = try await collect(response, limit: Manifest.maximumBytes, at: endpoint)
            let manifest: Manifest
            do {
                if Self.isPage(type) { throw Failure(.corrupted, "HTML") }
                manifest = try Manifest(parsing: bytes)
            } catch let failure as Failure where failure.code == .corrupted {
                // Well-formed JSON is a broken manifest; anything else is not from a registry at all, but for what is so
                // large that it is not worth a second look.
                let isLarge = bytes.readableBytes > 64 << 10
                if !Self.isPage(type), isLarge || (try? JSON(parsing: bytes)) != nil {
                    throw failure
                }
                throw Failure(
                    .corrupted,
                    "the registry at \(endpoint.name) answered \(type.prefix(80)) instead of a manifest; "
                        + "is this address a registry?")
            }
            try Self.verify(manifest, against: reference.digest)
            try Self.verify(manifest, againstHeader: response.headers.first(name: "Docker-Content-Digest"))
            return manifest
        }
    }

    static func verify(_ manifest: Manifest, against digest: Digest?) throws {
        guard let digest, Digest.of(manifest.raw, digest.algorithm) != digest else { return }
        throw Failure(.corrupted, "the registry sent a manifest with \(manifest.digest) for \(digest)")
    }

    static func verify(_ manifest: Manifest, againstHeader header: String?) throws {
        guard let header else { return }
        guard let digest = try? Digest(parsing: header) else {
            throw Failure(.corrupted, "the registry sent a Docker-Content-Digest that is no digest")
        }
        try verify(manifest, against: digest)
    }

    /// Puts what was being done before a failure's message.
    func naming<R>(_ what: String, _ body: () async throws -> R) async throws -> R {
        do { return try await body() } catch let failure as Failure {
            throw failure.during(what)
        }
    }
}
