package import Core
internal import NIOPosix

/// Keeps a registry from sending us where only we can go: to a service on this machine, in its network, or to a
/// cloud's metadata service.
package struct AddressGuard: Sendable {
    /// What a host name stands for.
    package var resolve: @Sendable (String) async throws -> [IPAddress]

    private let history = HostHistory()

    package init(
        resolve: @escaping @Sendable (String) async throws -> [IPAddress] = { host in
            try await NIOThreadPool.singleton.runIfActive { POSIX.addresses(ofHost: host) }
        }
    ) {
        self.resolve = resolve
    }

    /// - Parameters:
    ///   - registry: who names the address.
    ///   - isProxied: whether a proxy looks the name up; then only literal addresses can be judged.
    /// - Returns: what to dial instead of the name, so that it is what was judged; nil where the address is the
    ///   registry's own or the name is for a proxy.
    /// - Throws: `.forbidden` for an address nearer than the registry's own; `.unavailable` for a name nobody knows.
    package func check(
        _ address: WebAddress, namedBy registry: WebAddress, isProxied: Bool
    ) async throws -> [IPAddress]? {
        guard !address.isSameOrigin(as: registry) else { return nil }
        let isLiteral = IPAddress(address.host) != nil
        if isProxied, !isLiteral { return nil }
        let targets = try await addresses(of: address)
        guard let nearest = targets.map(\.reach).max() else {
            throw Failure(
                .unavailable, "\(registry.authority) sends clients to \(address.authority), a host that is not known")
        }
        if nearest == .everywhere { return targets }
        let place = isProxied && IPAddress(registry.host) == nil ? .everywhere : try await place(of: registry)
        guard nearest != .link, nearest <= place else {
            throw Failure(
                .forbidden, "\(registry.authority) sends clients to \(address.authority), \(nearest.description)",
                advice: "Registries may send clients to public addresses, or to their own network")
        }
        return targets
    }

    /// How near a registry is. One with any public address is public, and stays so: whoever answers for its name cannot
    /// move it next to us for the moment in which we look.
    private func place(of registry: WebAddress) async throws -> IPAddress.Reach {
        if history.isPublic(registry.host) { return .everywhere }
        let place = try await addresses(of: registry).map(\.reach).min() ?? .everywhere
        if place == .everywhere { history.notePublic(registry.host) }
        return place
    }

    private func addresses(of address: WebAddress) async throws -> [IPAddress] {
        if let literal = IPAddress(address.host) { return [literal] }
        return try await resolve(address.bareHost)
    }
}
