package import MCP

/// The merged list of tools that clients see, and the way back from an exposed name to a server's own.
package struct Surface: Sendable {
    package struct Route: Sendable, Equatable {
        package let server: String
        /// The tool's name at its server.
        package let tool: String
    }

    /// What models and clients accept as a tool's name: `[A-Za-z0-9_-]{1,64}`.
    package static let maximumName = 64

    package private(set) var tools: [Tool] = []
    private var routes: [String: Route] = [:]

    /// - Parameter servers: in the order in which their tools are listed.
    ///
    /// A name that several servers use is prefixed with the server's (`server__tool`), for all of them; a name that
    /// clients would refuse is spelt with underscores and cut; what still clashes gets a number.
    package init(_ servers: [(name: String, tools: [Tool])]) {
        var uses: [String: Int] = [:]
        for server in servers { for tool in server.tools { uses[Self.accepted(tool.name), default: 0] += 1 } }
        for server in servers {
            for tool in server.tools {
                let plain = Self.accepted(tool.name)
                var name = uses[plain] == 1 ? plain : Self.accepted("\(server.name)__\(plain)")
                var number = 2
                while routes[name] != nil {
                    name = Self.accepted(plain.prefix(Self.maximumName - 4) + "_\(number)")
                    number += 1
                }
                routes[name] = Route(server: server.name, tool: tool.name)
                tools.append(tool.renamed(name))
            }
        }
    }

    package func route(_ name: String) -> Route? { routes[name] }

    static func accepted(_ name: some StringProtocol) -> String {
        String(
            name.unicodeScalars.prefix(maximumName).map { scalar in
                let keeps =
                    scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
                    || scalar == "_" || scalar == "-"
                return keeps ? Character(scalar) : "_"
            })
    }
}
