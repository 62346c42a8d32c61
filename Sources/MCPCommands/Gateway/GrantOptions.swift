internal import ArgumentParser
internal import Core
internal import SystemPackage
internal import Toolkit

/// What a user lets servers have, in the one notation of all commands.
struct GrantOptions: ParsableArguments {
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "Connect a server to a Docker network. (default network: bridge)", valueName: "server[=network]"))
    var allowNetwork: [String] = []
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "Let a server that runs somewhere else be on this machine or in a private network.", valueName: "server"))
    var allowPrivateNetwork: [String] = []
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "Let a server read a folder, a file or a volume that it asks for; with :rw also write.",
            valueName: "server=path[:rw]"))
    var allowFiles: [String] = []

    func grants() throws -> Grants {
        var grants = Grants()
        for text in allowNetwork.flatMap({ $0.split(separator: ",") }) { try grants.allowNetwork(String(text)) }
        for text in allowPrivateNetwork.flatMap({ $0.split(separator: ",") }) {
            try grants.allowPrivateNetwork(String(text))
        }
        for text in allowFiles { try grants.allowFiles(text) }
        return grants
    }
}

extension Paths {
    /// Where lasting grants are kept.
    var grants: FilePath { mcp.appending("grants.yaml") }
}
