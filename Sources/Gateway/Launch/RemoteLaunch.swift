internal import Core
internal import MCPHTTP
internal import Toolkit

/// How a server that runs somewhere else is reached: its entry with the user's values and secrets in their places.
struct RemoteLaunch: Sendable {
    let endpoint: RemoteEndpoint
    /// What a person should know; names only, never values.
    let warnings: [String]

    /// - Throws: `.invalidArgument` for an entry that cannot be used.
    init(server: Server, remote: Server.Remote, settings: GatewaySettings) throws {
        let values = LaunchValues(server: server, values: settings.values, secrets: settings.secrets)
        var warnings = values.warnings
        if remote.wantsSignIn, remote.headers.isEmpty {
            warnings.append(
                "the server \(server.name) wants its users to sign in (OAuth), which is not supported yet; where it takes "
                    + "a token, give it one by a secret in the headers of its entry")
        }
        // One that is missing must not go out as if it were one.
        let known = values.environment.filter { $0.value != LaunchValues.missing }
        func filled(_ text: String) -> String {
            LaunchValues.filled(text, values.own, known).joined(separator: " ")
        }
        endpoint = try RemoteEndpoint(
            url: filled(remote.url), kind: Self.kind(remote.transport),
            headers: remote.headers.map { ($0.name, filled($0.value)) },
            allowsPrivate: settings.grants[server.name].privateNetwork, authorities: settings.authorities)
        self.warnings = warnings
    }

    private static func kind(_ transport: String?) throws -> RemoteEndpoint.Kind {
        switch transport?.lowercased() {
        case nil, "": .automatic
        case "sse": .events
        case "http", "streamable", "streaming", "streamable-http": .streamable
        case let other?:
            throw Failure(
                .invalidArgument, "unsupported remote transport: \(other.prefix(40))",
                advice: "Known are streamable-http and sse.")
        }
    }
}
