package import Core
package import Toolkit

/// What the user grants and wants, for all servers of a gateway.
package struct GatewaySettings: Sendable {
    /// CPUs' worth of time for each container; nil for no limit.
    package var cpus: Double? = 1
    /// Bytes of memory for each container; nil for no limit.
    package var memory: Int64? = 2 << 30
    package var processes: Int64 = 256
    /// The servers' values, by canonical name.
    package var values = JSON.Object()
    /// Secrets by their own names.
    package var secrets: [String: String] = [:]
    package var filter = ToolFilter()
    package var grants = Grants()
    /// A server that nobody has called for so long is stopped until it is wanted again; nil for never.
    package var idleTimeout: Duration? = .seconds(15 * 60)
    /// How long a server may take from its container's creation to its list of tools.
    package var startLimit = Duration.seconds(60)
    /// How long a list waits for servers that are still starting; the rest is told with a list-changed notification.
    package var listPatience = Duration.seconds(10)

    package init() {}
}
