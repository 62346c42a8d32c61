package import SystemPackage

/// Where an engine answers HTTP.
package enum EngineAddress: Sendable, Hashable {
    case unix(FilePath)
    /// On 127.0.0.1, for servers that know nothing else.
    case loopback(port: Int)

    /// What the engine is asked as.
    package var host: String {
        switch self {
        case .unix: "localhost"
        case .loopback(let port): "127.0.0.1:\(port)"
        }
    }
}
