internal import ArgumentParser
internal import Core
internal import MCPHTTP
internal import SystemPackage

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
    @Option(
        name: .customLong("allow-host"), parsing: .singleValue,
        help: ArgumentHelp("Names beside the address that clients may call the gateway by.", valueName: "names"))
    var hostNames: [String] = []
    @Option(help: ArgumentHelp("A file with the tokens of several users, with sse and streaming.", valueName: "file"))
    var tokens: String?
    @Option(
        help: ArgumentHelp("A PEM file with the certificate to show, the gateway's own first.", valueName: "file"))
    var tlsCertificate: String?
    @Option(help: ArgumentHelp("A PEM file with the certificate's private key.", valueName: "file"))
    var tlsKey: String?
    @Flag(help: "Let everybody in who reaches the port, without a token.") var allowUnauthenticated = false

    static let defaultPort = 8811

    var host: String { chosenHost ?? "127.0.0.1" }

    /// Which address people are told; both are served.
    enum Style: String, Hashable {
        /// Streamable HTTP at `/mcp`.
        case streaming
        /// HTTP with server-sent events at `/sse`, as in the revision of 2024-11-05.
        case sse

        var path: String { self == .sse ? "/sse" : "/mcp" }
    }

    enum Choice: Hashable {
        case stdio
        case http(Style, port: Int)
    }

    /// - Throws: `.invalidArgument` for a transport nobody knows, or flags that do not go together.
    var choice: Choice {
        get throws(Failure) {
            let style: Style
            switch transport.lowercased() {
            case "stdio":
                let flags = [
                    (port != nil, "--port"), (chosenHost != nil, "--host"), (!hostNames.isEmpty, "--allow-host"),
                    (tokens != nil, "--tokens"), (tlsCertificate != nil, "--tls-certificate"),
                    (tlsKey != nil, "--tls-key"),
                ]
                for (isGiven, flag) in flags where isGiven {
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
            guard (tlsCertificate == nil) == (tlsKey == nil) else {
                throw Failure(.invalidArgument, "--tls-certificate and --tls-key go together")
            }
            guard tokens == nil || !allowUnauthenticated else {
                throw Failure(.invalidArgument, "cannot use --tokens with --allow-unauthenticated")
            }
            return .http(style, port: port)
        }
    }

    /// What to show to clients; nil where connections are not encrypted.
    func certificate() throws -> ServerCertificate? {
        guard let tlsCertificate, let tlsKey else { return nil }
        return try ServerCertificate(chain: FilePath(tlsCertificate), key: FilePath(tlsKey))
    }

    var names: Set<String> {
        Set(hostNames.flatMap { $0.split(separator: ",") }.map { String($0.trimmingPrefix(while: \.isWhitespace)) })
    }
}
