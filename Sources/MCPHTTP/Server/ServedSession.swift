package import MCP

/// A client's session with the gateway, whichever protocol the client speaks.
package protocol ServedSession: Transport {
    /// Whose it is.
    var principal: Principal { get }
    /// Which servers it is about.
    var scope: Scope { get }
    var era: Era { get }
}

extension HTTPSession: ServedSession {
    package var era: Era { .handshake }
}
