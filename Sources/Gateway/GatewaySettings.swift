package import Core
package import MCP
package import SystemPackage
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
    /// A PEM file of authorities that servers elsewhere are believed by, beside those the system trusts.
    package var authorities: FilePath?
    package var filter = ToolFilter()
    package var grants = Grants()
    /// A server that nobody has called for so long is stopped until it is wanted again; nil for never.
    package var idleTimeout: Duration? = .seconds(15 * 60)
    /// How long a server may take from its container's creation to its list of tools.
    package var startLimit = Duration.seconds(60)
    /// How long a list waits for servers that are still starting; the rest is told with a list-changed notification.
    package var listPatience = Duration.seconds(10)
    /// The same where other servers' lists are there.
    package var otherListPatience = Duration.seconds(3)
    /// How long a server may take for a call without a sign of progress; nil for as long as it likes.
    package var callTimeout: Duration? = .seconds(5 * 60)
    /// How long a call may take in any case.
    package var callLimit: Duration? = .seconds(60 * 60)
    /// Servers that run at once in one gateway.
    package var maximumRunning = 256
    /// Who uses one running server, unless its entry says that all may.
    package var sharing = Sharing.session
    /// Whether servers are started before anybody uses them.
    package var isEager = false
    /// Where lists are kept between runs; nil for nowhere.
    package var cache: FilePath?
    /// Where the gateway says what it is doing, for `gateway status`; nil for nowhere.
    package var stateFolder: FilePath?
    /// Another way to a server than its entry says; nil for that.
    package var connector: @Sendable (Server) -> (any Connector)? = { _ in nil }

    package init() {}
}
