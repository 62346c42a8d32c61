/// Which of a gateway's servers a client sees, and under which names.
package struct GatewayView: Sendable, Hashable {
    /// nil for all.
    package let servers: [String]?
    /// Whether names stay as the servers'; for one server.
    package let isPlain: Bool

    package static let all = GatewayView(servers: nil, isPlain: false)

    /// Some servers, as one.
    package static func some(_ servers: [String]) -> GatewayView { GatewayView(servers: servers, isPlain: false) }

    /// One server, as if there were no gateway.
    package static func only(_ server: String) -> GatewayView { GatewayView(servers: [server], isPlain: true) }

    func shows(_ server: String) -> Bool { servers?.contains(server) ?? true }
}
