package import MCP

/// The merged list of tools that clients see, and the way back from an exposed name to a server's own.
package struct Surface: Sendable {
    package struct Route: Sendable, Hashable {
        package let server: String
        /// The tool's name at its server.
        package let tool: String
    }

    /// What models and clients accept as a tool's name: `[A-Za-z0-9_-]{1,64}`.
    package static let maximumName = 64

    package private(set) var tools: [Tool] = []
    private var routes: [String: Route] = [:]

    package struct Source: Sendable {
        package let server: String
        /// What its names begin with, where the catalog wants that.
        package let prefix: String?
        package let tools: [Tool]

        package init(server: String, prefix: String? = nil, tools: [Tool]) {
            self.server = server
            self.prefix = prefix
            self.tools = tools
        }
    }

    /// - Parameters:
    ///   - sources: in the order in which their tools are listed.
    ///   - previous: what clients have seen so far; a tool that is still there keeps its name.
    ///
    /// A name that several servers use is prefixed with the server's (`server__tool`), for all of them; a name that
    /// clients would refuse is spelt with underscores and cut; what still clashes gets a number.
    package init(_ sources: [Source], keeping previous: Surface? = nil) {
        var kept: [Route: String] = [:]
        for (name, route) in previous?.routes ?? [:] { kept[route] = name }
        var names = Names()
        var places = Set<Route>()
        var entries: [(route: Route, tool: Tool, plain: String)] = []
        for source in sources {
            for tool in source.tools {
                let route = Route(server: source.server, tool: tool.name)
                // A server that lists a name twice means one tool.
                guard places.insert(route).inserted else { continue }
                let plain = Self.plain(tool, source)
                entries.append((route, tool, plain))
                names.uses[plain, default: 0] += 1
                // Names that are kept are taken before new ones are chosen.
                if let name = kept[route] { names.taken.insert(name) }
            }
        }
        for (route, tool, plain) in entries {
            let name = kept[route] ?? names.take(plain, for: route.server)
            routes[name] = route
            tools.append(tool.renamed(name))
        }
    }

    /// Which names are in use while a list is put together.
    private struct Names {
        var uses: [String: Int] = [:]
        var taken: Set<String> = []
        /// Where to go on numbering: a server may have thousands of tools whose names come out the same.
        private var numbers: [String: Int] = [:]

        mutating func take(_ plain: String, for server: String) -> String {
            var name = uses[plain] == 1 && !taken.contains(plain) ? plain : Surface.accepted("\(server)__\(plain)")
            let stem = String(plain.prefix(Surface.maximumName - 8))
            while taken.contains(name) {
                let number = numbers[stem, default: 2]
                numbers[stem] = number + 1
                name = "\(stem)_\(number)"
            }
            taken.insert(name)
            return name
        }
    }

    private static func plain(_ tool: Tool, _ source: Source) -> String {
        accepted(source.prefix.map { "\($0)__\(tool.name)" } ?? tool.name)
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
