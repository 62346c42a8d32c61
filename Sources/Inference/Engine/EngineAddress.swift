package import SystemPackage

/// Where an engine listens: never beyond this machine.
package enum EngineAddress: Sendable, Hashable {
    case unix(FilePath)
    /// A port of 127.0.0.1, for servers that know no unix sockets.
    case loopback(port: Int)
}

extension Runner {
    package var address: EngineAddress { .unix(socket) }
}
