internal import Core
internal import MCP

/// A server's URIs in what it says, exchanged for those that clients see. Only ever needed where servers share a URI.
enum URIRewriting {
    typealias Names = [String: String]

    /// `_meta.ui.resourceUri` of a tool (MCP Apps).
    static func tool(_ definition: RawJSON, _ names: Names) -> RawJSON {
        guard let meta = definition["_meta"], let ui = meta["ui"] else { return definition }
        let changed = member("resourceUri", of: ui, names)
        return changed == ui ? definition : definition.replacing("_meta", with: meta.replacing("ui", with: changed))
    }

    /// The content of a tool's result, of a prompt's messages, or of a resource.
    static func result(_ result: RawJSON, of method: String, _ names: Names) -> RawJSON {
        switch method {
        case "tools/call", "tasks/result": elements("content", of: result) { block($0, names) }
        case "prompts/get":
            elements("messages", of: result) { message in
                guard let content = message["content"] else { return message }
                return message.replacing("content", with: block(content, names))
            }
        case "resources/read": elements("contents", of: result) { member("uri", of: $0, names) }
        default: result
        }
    }

    private static func block(_ block: RawJSON, _ names: Names) -> RawJSON {
        if let resource = block["resource"] {
            return block.replacing("resource", with: member("uri", of: resource, names))
        }
        return block["type"]?.string == "resource_link" ? member("uri", of: block, names) : block
    }

    private static func member(_ name: String, of object: RawJSON, _ names: Names) -> RawJSON {
        guard let own = object[name]?.string, let shown = names[own] else { return object }
        return object.replacing(name, with: RawJSON(.string(shown)))
    }

    private static func elements(_ name: String, of object: RawJSON, _ change: (RawJSON) -> RawJSON) -> RawJSON {
        guard let elements = try? object[name]?.elements() else { return object }
        let changed = elements.map(change)
        return changed == elements ? object : object.replacing(name, with: RawJSON(array: changed))
    }
}
