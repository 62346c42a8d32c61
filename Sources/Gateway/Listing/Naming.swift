internal import Core
internal import MCP

/// How elements of several servers get names that are one each.
enum Naming {
    typealias Entry = Surface.Entry
    typealias Route = Surface.Route

    /// Tools and prompts: a name that several servers use is prefixed with the server's (`server__tool`), for all of
    /// them; a name that clients would refuse is spelt with underscores and cut; what still clashes gets a number.
    static func named(
        _ sources: [Surface.Source], _ kind: ListKind, keeping previous: Surface?, isPlain: Bool
    ) -> [Entry] {
        var kept: [Route: String] = [:]
        for entry in previous?.lists[kind] ?? [] { kept[entry.route] = entry.item.name }
        var names = Names()
        var places = Set<Route>()
        var found: [(route: Route, item: ListItem, plain: String)] = []
        for source in sources {
            for item in source.listing[kind] {
                let route = Route(server: source.server, name: item.name)
                // A server that lists a name twice means one element.
                guard places.insert(route).inserted else { continue }
                let plain = isPlain ? item.name : accepted(source.prefix.map { "\($0)__\(item.name)" } ?? item.name)
                found.append((route, item, plain))
                names.uses[plain, default: 0] += 1
                // Names that are kept are taken before new ones are chosen.
                if let name = kept[route] { names.taken.insert(name) }
            }
        }
        return found.map { route, item, plain in
            let name = isPlain ? plain : kept[route] ?? names.take(plain, for: route.server)
            return Entry(item: item.renamed(name, kind), route: route)
        }
    }

    /// Resources and templates: a URI that several servers list is written as `mcp-server://SERVER/URI`, for all of them.
    static func addressed(
        _ sources: [Surface.Source], _ kind: ListKind, keeping previous: Surface?, isPlain: Bool,
        _ rewritten: inout [String: [String: String]]
    ) -> [Entry] {
        var kept: [Route: String] = [:]
        for entry in previous?.lists[kind] ?? [] { kept[entry.route] = entry.item.name }
        var uses: [String: Int] = [:]
        var places = Set<Route>()
        var found: [(route: Route, item: ListItem)] = []
        for source in sources {
            for item in source.listing[kind] {
                let route = Route(server: source.server, name: item.name)
                guard places.insert(route).inserted else { continue }
                found.append((route, item))
                uses[item.name, default: 0] += 1
            }
        }
        return found.map { route, item in
            // What looks like an address of ours is written as one too, so that none can pass for another server's.
            let isClear = uses[item.name] == 1 && ResourceAddress.parse(item.name) == nil
            let name =
                isPlain
                ? item.name
                : kept[route] ?? (isClear ? item.name : ResourceAddress.make(route.server, item.name))
            if name != item.name { rewritten[route.server, default: [:]][item.name] = name }
            return Entry(item: item.renamed(name, kind), route: route)
        }
    }

    /// Which names are in use while a list is put together.
    private struct Names {
        var uses: [String: Int] = [:]
        var taken = Surface.reserved
        /// Where to go on numbering: a server may have thousands of tools whose names come out the same.
        private var numbers: [String: Int] = [:]

        mutating func take(_ plain: String, for server: String) -> String {
            var name = uses[plain] == 1 && !taken.contains(plain) ? plain : Naming.accepted("\(server)__\(plain)")
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

    static func accepted(_ name: some StringProtocol) -> String {
        String(
            name.unicodeScalars.prefix(Surface.maximumName).map { scalar in
                let keeps =
                    scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
                    || scalar == "_" || scalar == "-"
                return keeps ? Character(scalar) : "_"
            })
    }
}
