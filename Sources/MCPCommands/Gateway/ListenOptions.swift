internal import ArgumentParser
internal import Core
internal import MCPHTTP

/// How clients reach a gateway.
struct ListenOptions: ParsableArguments {
    @Option(help: "How clients reach the gateway: stdio, sse or streaming (also http, streamable-http).")
    var transport = "stdio"
    @Option(help: "The TCP port to listen on, with sse and streaming. (default: 8811)") var port: Int?
    @Option(
        name: .customLong("host"),
        help: ArgumentHelp(
            "The address to listen on, with sse and streaming. (default: 127.0.0.1)", valueName: "address"))
    var chosenHost: String?
    @Flag(help: "Let everybody in who reaches the port, without a token.") var allowUnauthenticated = false

    static let defaultPort = 8811

    var host: String { chosenHost ?? "127.0.0.1" }

    enum Choice: Hashable {
        case stdio
        case http(StreamableServer.Style, port: Int)
    }

    /// - Throws: `.invalidArgument` for a transport nobody knows, or flags that do not go together.
    var choice: Choice {
        get throws(Failure) {
            let style: StreamableServer.Style
            switch transport.lowercased() {
            case "stdio":
                for (isGiven, flag) in [(port != nil, "--port"), (chosenHost != nil, "--host")] where isGiven {
                    throw Failure(.invalidArgument, "cannot use \(flag) with --transport=stdio")
                }
                return .stdio
            case "sse": style = .sse
            case "streaming", "http", "streamable", "streamable-http": style = .streaming
            default:
                throw Failure(
                    .invalidArgument, "unknown transport \"\(transport)\", expected stdio, sse or streaming")
            }
            let port = port ?? Self.defaultPort
            guard (0...65535).contains(port) else {
                throw Failure(.invalidArgument, "\(port) is no port", advice: "Ports go from 1 to 65535.")
            }
            return .http(style, port: port)
        }
    }
}
