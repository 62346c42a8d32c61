package import Core
internal import Synchronization

/// A small MCP server with tools only, for one session.
package final class ToolServer: Peer.Handler {
    package struct Entry: Sendable {
        let tool: Tool
        let call: @Sendable (JSON.Object) async throws -> ToolResult

        /// - Parameter call: gets the arguments; a `Failure` it throws is told to the model as the tool's error.
        package init(_ tool: Tool, call: @escaping @Sendable (JSON.Object) async throws -> ToolResult) {
            self.tool = tool
            self.call = call
        }
    }

    private let lifecycle: Mutex<ServerLifecycle>
    private let entries: [Entry]

    package init(name: String, version: String, instructions: String? = nil, tools: [Entry]) {
        lifecycle = Mutex(
            ServerLifecycle(
                .init(name: name, version: version, instructions: instructions, capabilities: ["tools": [:]])))
        entries = tools
    }

    package func admit(_ request: RPC.Request, from peer: Peer) throws(RPC.Error) -> Peer.Admission {
        let answer = try lifecycle.withLock { lifecycle throws(RPC.Error) in try lifecycle.step(request) }
        return answer.map { .answer($0) } ?? .respond
    }

    package func respond(to request: RPC.Request, from peer: Peer) async throws -> RawJSON {
        switch request.method {
        case "tools/list":
            return RawJSON(object: [("tools", RawJSON(array: entries.map(\.tool.definition)))])
        case "tools/call": return try await call(request)
        default: throw RPC.Error.methodNotFound(request.method)
        }
    }

    package func receive(_ notification: RPC.Notification, from peer: Peer) async {}

    private func call(_ request: RPC.Request) async throws -> RawJSON {
        let params = try request.params?.parsed() ?? .null
        guard let name = params["name"]?.string else { throw RPC.Error.invalidParams("tools/call without a name") }
        guard let entry = entries.first(where: { $0.tool.name == name }) else {
            throw RPC.Error.invalidParams("Unknown tool: \(name)")
        }
        do {
            return try await entry.call(params["arguments"]?.object ?? JSON.Object()).raw
        } catch let failure as Failure {
            return ToolResult(text: failure.description, isError: true).raw
        }
    }
}
