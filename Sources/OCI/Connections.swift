package import AsyncHTTPClient
package import Core
package import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// HTTP clients for the ways that lead out: directly, and through each proxy that the environment names.
package struct Connections: Sendable {
    /// Who carries a request.
    private struct Way: Hashable {
        var proxy: ProxySettings.Proxy?
        var isUpload: Bool
    }

    private let direct: HTTPClient
    private let settings: ProxySettings?
    private let clients: [Way: HTTPClient]
    /// The one that all uploads are sent on; nil where their client is somebody else's.
    private let uploadLoop: (any EventLoop)?
    /// nil where the client is somebody else's.
    private let pinned: PinnedClients?
    let trust: TrustedAuthorities

    /// One way out only.
    package init(direct: HTTPClient, environment: Paths) {
        self.direct = direct
        settings = nil
        clients = [:]
        uploadLoop = nil
        pinned = nil
        trust = TrustedAuthorities(environment: environment)
    }

    private init(settings: ProxySettings, environment: Paths) {
        self.settings = settings
        trust = TrustedAuthorities(environment: environment)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        uploadLoop = loop
        var clients: [Way: HTTPClient] = [:]
        for proxy in Set([nil, settings.plain, settings.secure]) {
            var configuration = Registry.clientConfiguration
            configuration.proxy = proxy?.configuration
            clients[Way(proxy: proxy, isUpload: false)] = HTTPClient(
                eventLoopGroupProvider: .singleton, configuration: configuration)
            clients[Way(proxy: proxy, isUpload: true)] = HTTPClient(
                eventLoopGroupProvider: .shared(loop), configuration: configuration)
        }
        self.clients = clients
        pinned = PinnedClients(configuration: Registry.clientConfiguration)
        direct = clients[Way(proxy: nil, isUpload: false)] ?? .shared
    }

    /// Runs `body` with clients that are closed afterwards.
    static func with<R: Sendable>(environment: Paths, _ body: (Connections) async throws -> R) async throws -> R {
        let connections = Connections(settings: try ProxySettings(environment), environment: environment)
        let result: Result<R, any Error>
        do { result = .success(try await body(connections)) } catch { result = .failure(error) }
        for client in connections.clients.values { try? await client.shutdown() }
        await connections.pinned?.shutdown()
        return try result.get()
    }

    /// Whether a name in an address is looked up by a proxy and not here.
    package func isProxied(_ address: WebAddress) -> Bool { settings?.proxy(for: address) != nil }

    /// For messages: ` through the proxy HOST:PORT`, or nothing.
    func detour(to address: WebAddress) -> String {
        settings?.proxy(for: address).map { " through the proxy \($0.host):\($0.port)" } ?? ""
    }

    /// Sends a request by the way that leads to its address.
    ///
    /// - Parameter checked: what to connect to, whatever the host's name stands for by now; see `AddressGuard`.
    package func execute(
        _ request: HTTPClientRequest, to address: WebAddress, at checked: [IPAddress]? = nil, deadline: NIODeadline
    ) async throws -> HTTPClientResponse {
        var request = request
        if address.isSecure { request.tlsConfiguration = try trust.configuration(for: address.authority) }
        if let checked, let pinned, IPAddress(address.host) == nil, !isProxied(address) {
            return try await pinned.execute(request, host: address.host, at: checked, deadline: deadline)
        }
        let isUpload = request.method == .PUT || request.method == .PATCH
        let client = clients[Way(proxy: settings?.proxy(for: address), isUpload: isUpload)] ?? direct
        return try await client.execute(request, deadline: deadline)
    }

    /// Waits until what was handed over for upload is on its way or known to wait.
    ///
    /// The client learns only on its event loop that a connection is full. Until then it takes whatever it is given:
    /// from a file that is in memory, tens of megabytes.
    func settle() async throws { try await uploadLoop?.submit {}.get() }
}

extension ProxySettings.Proxy {
    fileprivate var configuration: HTTPClient.Configuration.Proxy {
        if isSocks { return .socksServer(host: host, port: port) }
        return .server(
            host: host, port: port,
            authorization: user.map { .basic(username: $0, password: password ?? "") })
    }
}
