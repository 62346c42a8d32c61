/// Which tools of which servers clients get to see.
package struct ToolFilter: Sendable {
    /// `*`, `TOOL`, `SERVER:TOOL`, `SERVER:*`, also with an image for the server; capitals do not count.
    private let patterns: [String]
    /// A server's tools by name; a server without an entry has all of its own.
    private let lists: [String: [String]]

    /// - Parameter patterns: where there are any, the lists do not count.
    package init(patterns: [String] = [], lists: [String: [String]] = [:]) {
        self.patterns = patterns.map { $0.lowercased() }
        self.lists = lists
    }

    package func allows(_ tool: String, of server: Server) -> Bool {
        guard !patterns.isEmpty else { return lists[server.name].map { $0.contains(tool) } ?? true }
        let tool = tool.lowercased()
        let owners = [server.name, server.image].compactMap { $0?.lowercased() }
        return patterns.contains { pattern in
            pattern == "*" || pattern == tool
                || owners.contains { pattern == "\($0):*" || pattern == "\($0):\(tool)" }
        }
    }
}
