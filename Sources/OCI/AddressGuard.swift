internal import Core
internal import NIOPosix

/// Keeps a registry from sending us where only we can go: to a service on this machine, in its network, or to a
/// cloud's metadata service.
struct AddressGuard: Sendable {
    /// What a host name stands for.
    var resolve: @Sendable (String) async throws -> [IPAddress] = { host in
        try await NIOThreadPool.singleton.runIfActive { POSIX.addresses(ofHost: host) }
    }

    /// - Parameters:
    ///   - registry: who names the address.
    ///   - isProxied: whether a proxy looks the name up; then only literal addresses can be judged.
    /// - Throws: `.forbidden` for an address nearer than the registry's own. The registry's own host is always allowed.
    func check(_ address: WebAddress, namedBy registry: WebAddress, isProxied: Bool) async throws {
        guard address.host != registry.host else { return }
        let targets = try await addresses(of: address, isProxied: isProxied).map(\.reach)
        guard let nearest = targets.max(by: { Self.rank($0) < Self.rank($1) }), nearest != .everywhere else { return }
        // A registry with any public address is public.
        let own = try await addresses(of: registry, isProxied: isProxied).map(\.reach)
        let place = own.min { Self.rank($0) < Self.rank($1) } ?? .everywhere
        guard nearest != .link, Self.rank(nearest) <= Self.rank(place) else {
            throw Failure(
                .forbidden, "\(registry.authority) sends clients to \(address.authority), \(Self.description(nearest))",
                advice: "Registries may send clients to public addresses, or to their own network")
        }
    }

    private func addresses(of address: WebAddress, isProxied: Bool) async throws -> [IPAddress] {
        if let literal = IPAddress(address.host) { return [literal] }
        return isProxied ? [] : try await resolve(address.bareHost)
    }

    private static func rank(_ reach: IPAddress.Reach) -> Int {
        switch reach {
        case .everywhere: 0
        case .network: 1
        case .machine: 2
        case .link: 3
        }
    }

    private static func description(_ reach: IPAddress.Reach) -> String {
        switch reach {
        case .everywhere: "a public address"
        case .network: "an address in a private network"
        case .machine: "an address on this machine"
        case .link: "an address that is never asked on behalf of others"
        }
    }
}
