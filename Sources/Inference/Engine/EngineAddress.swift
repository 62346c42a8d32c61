package import SystemPackage

/// Where an engine answers HTTP.
package enum EngineAddress: Sendable, Hashable {
    case unix(FilePath)
    /// On 127.0.0.1, for servers that know nothing else.
    case loopback(port: Int)

    /// The address of a path there, for AsyncHTTPClient.
    package func url(_ path: String) -> String {
        switch self {
        case .unix(let socket): UnixURL.text(socket: socket, path: path)
        case .loopback(let port): "http://127.0.0.1:\(port)\(path)"
        }
    }

    /// What the engine is asked as.
    package var host: String {
        switch self {
        case .unix: "localhost"
        case .loopback(let port): "127.0.0.1:\(port)"
        }
    }
}
