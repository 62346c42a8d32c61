internal import Core
internal import NIOHTTP1

extension Engine {
    /// The host's own address on docker's usual network: containers there reach what listens on it. nil where there is
    /// none, as with an engine without that network.
    package func bridgeGateway() async throws -> String? {
        let network: JSON
        do { network = try await json(.GET, "/networks/bridge") } catch let failure as Failure
            where failure.code == .notFound
        { return nil }
        return network["IPAM"]?["Config"]?.array?.compactMap { $0["Gateway"]?.string }.first { IPAddress($0) != nil }
    }
}
