internal import Core
package import MCP
internal import Synchronization

/// The merged lists that clients see, and the way back from what is shown to each server's own names.
///
/// It never changes; where a server's lists do, another one is made that keeps the names of this one.
package final class Surface: Sendable {
    package struct Route: Sendable, Hashable {
        package let server: String
        /// The element's name at its server.
        package let name: String

        package var tool: String { name }
    }

    /// What models and clients accept as a tool's name: `[A-Za-z0-9_-]{1,64}`.
    package static let maximumName = 64
    /// Names that belong to tools and prompts of the gateway itself.
    static let reserved: Set<String> = [
        "code-mode", "find-tools", "mcp-activate-profile", "mcp-add", "mcp-config-set", "mcp-create-profile",
        "mcp-discover", "mcp-exec", "mcp-find", "mcp-registry-import", "mcp-remove",
    ]

    package struct Source: Sendable {
        package let server: String
        /// What its names begin with, where the catalog wants that.
        package let prefix: String?
        package let listing: ServerListing

        package init(server: String, prefix: String? = nil, listing: ServerListing) {
            self.server = server
            self.prefix = prefix
            self.listing = listing
        }
    }

    struct Entry: Sendable, Hashable {
        let item: ListItem
        let route: Route
    }

    let lists: [ListKind: [Entry]]
    /// Each server's URIs and templates that are shown under others, by its own; mostly none.
    let rewritten: [String: [String: String]]
    private let routes: [ListKind: [String: Route]]
    let sources: [Source]
    /// Whether it shows one server, with its own names.
    let isPlain: Bool
    /// Tells the cursors of this surface from those of others.
    let generation = UInt32.random(in: 0 ... .max)
    let pages = Mutex<[PageKey: [RawJSON]]>([:])

    /// - Parameters:
    ///   - sources: in the order in which their elements are listed.
    ///   - previous: what clients have seen so far; what is still there keeps its name.
    ///   - isPlain: whether names stay as the servers', for a view of one server.
    package init(_ sources: [Source], keeping previous: Surface? = nil, isPlain: Bool = false) {
        self.sources = sources
        self.isPlain = isPlain
        var lists: [ListKind: [Entry]] = [:]
        for kind in [ListKind.tools, .prompts] {
            lists[kind] = Naming.named(sources, kind, keeping: previous, isPlain: isPlain)
        }
        var rewritten: [String: [String: String]] = [:]
        for kind in [ListKind.resources, .templates] {
            lists[kind] = Naming.addressed(sources, kind, keeping: previous, isPlain: isPlain, &rewritten)
        }
        if let tools = lists[.tools], !rewritten.isEmpty {
            lists[.tools] = tools.map { entry in
                guard let names = rewritten[entry.route.server] else { return entry }
                return Entry(item: entry.item.with(URIRewriting.tool(entry.item.definition, names)), route: entry.route)
            }
        }
        self.lists = lists
        self.rewritten = rewritten
        routes = lists.mapValues { entries in
            entries.reduce(into: [:]) { routes, entry in
                if routes[entry.item.name] == nil { routes[entry.item.name] = entry.route }
            }
        }
    }

    package var tools: [Tool] { (lists[.tools] ?? []).compactMap { try? Tool($0.item.definition) } }

    package func route(_ name: String) -> Route? { route(.tools, name) }

    package func route(_ kind: ListKind, _ name: String) -> Route? { routes[kind]?[name] }

    /// Where a resource is: listed, or made from a template, or of the only server that has any.
    package func place(ofURI uri: String) -> Route? {
        if let route = routes[.resources]?[uri] { return route }
        if let (server, own) = ResourceAddress.parse(uri), sources.contains(where: { $0.server == server }) {
            return Route(server: server, name: own)
        }
        let fitting = (lists[.templates] ?? []).compactMap { entry in
            URITemplate(entry.item.name).match(uri).map { (weight: $0, entry: entry) }
        }
        if let best = fitting.max(by: { $0.weight < $1.weight }) {
            return Route(server: best.entry.route.server, name: uri)
        }
        let able = sources.filter { $0.listing.has("resources") }
        return able.count == 1 ? Route(server: able[0].server, name: uri) : nil
    }

    /// A server's own URI as clients see it.
    func shown(_ uri: String, of server: String) -> String { rewritten[server]?[uri] ?? uri }

    /// Whether it shows the same as another one.
    func isEqual(to other: Surface, _ kind: ListKind) -> Bool { lists[kind] == other.lists[kind] }
}
