internal import Core
internal import NIOPosix
internal import OCI

/// Keeps a catalog from sending us where only we can go: to a service on this machine, in its network, or to a cloud's
/// metadata service.
struct RemoteGuard: Sendable {
    /// Whether the user lets this server be near.
    let allowsPrivate: Bool
    /// What a host's name stands for.
    var resolve: @Sendable (String) async throws -> [IPAddress] = { host in
        try await NIOThreadPool.singleton.runIfActive { POSIX.addresses(ofHost: host) }
    }

    /// - Returns: what to dial, so that it is what was judged, whatever the name stands for a moment later.
    /// - Throws: `.forbidden` for an address that is too near, or for a public one without TLS; `.unavailable` for a name
    ///   that nobody knows.
    func check(_ address: WebAddress) async throws -> [IPAddress] {
        let addresses: [IPAddress]
        if let literal = IPAddress(address.host) {
            addresses = [literal]
        } else {
            addresses = try await resolve(address.bareHost)
        }
        let reaches = addresses.map(\.reach)
        guard let nearest = reaches.max(), let farthest = reaches.min() else {
            throw Failure(.unavailable, "the host \(address.host) is not known")
        }
        guard nearest != .link, nearest == .everywhere || allowsPrivate else {
            throw Failure(
                .forbidden, "\(address.authority) is \(nearest.description)",
                advice: nearest == .link
                    ? nil : "If it is meant to be there, grant it: docker mcp grants add --allow-private-network SERVER"
            )
        }
        // Anybody on the way could read the keys in its headers, and answer in its place.
        guard address.isSecure || farthest != .everywhere else {
            throw Failure(
                .forbidden, "\(address.authority) is a public address without TLS", advice: "Use https://.")
        }
        return addresses
    }
}
