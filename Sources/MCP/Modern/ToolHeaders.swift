package import Core

/// Which arguments each tool of a server wants in headers, as its lists say.
package struct ToolHeaders: Sendable {
    private static let maximum = 10_000
    private var tools: [String: ParameterHeaders] = [:]

    package init() {}

    package subscript(tool: String) -> ParameterHeaders { tools[tool] ?? ParameterHeaders() }

    /// Takes note of a page of `tools/list`.
    ///
    /// - Returns: the page without tools whose annotations are wrong, which must not be offered over HTTP, and what is
    ///   wrong with them.
    package mutating func note(_ page: RawJSON) -> (page: RawJSON, refused: [String]) {
        guard let list = try? page["tools"]?.elements() else { return (page, []) }
        var (kept, refused): ([RawJSON], [String]) = ([], [])
        for tool in list {
            guard let name = tool["name"]?.string else { continue }
            do {
                let headers = try ParameterHeaders(ofTool: tool)
                if headers.isEmpty {
                    tools[name] = nil
                } else if tools.count < Self.maximum {
                    tools[name] = headers
                }
                kept.append(tool)
            } catch { refused.append("\(name.prefix(64)): \(Failure.text(of: error))") }
        }
        return (refused.isEmpty ? page : page.replacing("tools", with: RawJSON(array: kept)), refused)
    }

    /// The headers that go with a request over HTTP.
    package func fields(of request: RPC.Request, revision: Revision) -> [(name: String, value: String)] {
        let tool = request.method == "tools/call" ? request.params?["name"]?.string : nil
        return RoutingHeaders.fields(
            of: request, revision: revision, parameters: tool.map { self[$0] } ?? ParameterHeaders())
    }
}
