internal import AsyncHTTPClient
internal import Core
internal import NIOCore

/// HTTP clients for the ways that lead out: directly, and through each proxy that the environment names.
struct Connections: Sendable {
    private let direct: HTTPClient
    private let settings: ProxySettings?
    private let proxied: [ProxySettings.Proxy: HTTPClient]
    let trust: TrustedAuthorities

    /// One way out only.
    init(direct: HTTPClient, environment: Paths) {
        self.direct = direct
        settings = nil
        proxied = [:]
        trust = TrustedAuthorities(environment: environment)
    }

    private init(
        direct: HTTPClient, settings: ProxySettings, proxied: [ProxySettings.Proxy: HTTPClient], environment: Paths
    ) {
        self.direct = direct
        self.settings = settings
        self.proxied = proxied
        trust = TrustedAuthorities(environment: environment)
    }

    /// Runs `body` with clients that are closed afterwards.
    static func with<R: Sendable>(environment: Paths, _ body: (Connections) async throws -> R) async throws -> R {
        let settings = try ProxySettings(environment)
        let configuration = Registry.clientConfiguration
        var proxied: [ProxySettings.Proxy: HTTPClient] = [:]
        for proxy in Set([settings.plain, settings.secure].compactMap { $0 }) {
            var configuration = configuration
            configuration.proxy = proxy.configuration
            proxied[proxy] = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        }
        let direct = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let clients = [direct] + proxied.values
        let result: Result<R, any Error>
        do {
            let connections = Connections(
                direct: direct, settings: settings, proxied: proxied, environment: environment)
            result = .success(try await body(connections))
        } catch { result = .failure(error) }
        for client in clients { try? await client.shutdown() }
        return try result.get()
    }

    /// Whether a name in an address is looked up by a proxy and not here.
    func isProxied(_ address: WebAddress) -> Bool { settings?.proxy(for: address) != nil }

    func execute(
        _ request: HTTPClientRequest, to address: WebAddress, deadline: NIODeadline
    ) async throws -> HTTPClientResponse {
        var request = request
        if address.isSecure { request.tlsConfiguration = try trust.configuration(for: address.authority) }
        let client = settings?.proxy(for: address).flatMap { proxied[$0] } ?? direct
        return try await client.execute(request, deadline: deadline)
    }
}

extension ProxySettings.Proxy {
    fileprivate var configuration: HTTPClient.Configuration.Proxy {
        if isSocks { return .socksServer(host: host, port: port) }
        return .server(
            host: host, port: port,
            authorization: user.map { .basic(username: $0, password: password ?? "") })
    }
}
