internal import Core
internal import MCP

/// What a client of an older revision does not know, taken off or said in words that it does. For the latest revision
/// everything stays as it is.
enum Shape {
    private static func knows(_ version: Revision, since: Revision) -> Bool {
        let all = Revision.allCases
        return (all.firstIndex(of: version) ?? 0) >= (all.firstIndex(of: since) ?? 0)
    }

    static func definition(_ definition: RawJSON, _ kind: ListKind, for version: Revision) -> RawJSON {
        var unknown: [String] = []
        if !knows(version, since: .v20251125) { unknown += ["icons", "execution"] }
        if !knows(version, since: .v20250618) { unknown += kind == .tools ? ["title", "outputSchema"] : ["title"] }
        // Any type at the root came with the modern protocol.
        if version.era == .handshake, kind == .tools, let type = definition["outputSchema"]?["type"],
            type.string != "object"
        {
            unknown.append("outputSchema")
        }
        return unknown.isEmpty ? definition : definition.removing(unknown)
    }

    static func result(_ result: RawJSON, of method: String, for version: Revision) -> RawJSON {
        guard !knows(version, since: .v20250618) else { return result }
        switch method {
        case "tools/call":
            return elements("content", of: result.removing(["structuredContent"])) { block($0, for: version) }
        case "prompts/get":
            return elements("messages", of: result) { message in
                guard let content = message["content"] else { return message }
                let changed = block(content, for: version)
                return changed == content ? message : message.replacing("content", with: changed)
            }
        default: return result
        }
    }

    private static func block(_ block: RawJSON, for version: Revision) -> RawJSON {
        switch block["type"]?.string {
        case "resource_link":
            let name = block["title"]?.string ?? block["name"]?.string ?? "resource"
            return text("\(name): \(block["uri"]?.string ?? "")")
        case "audio" where !knows(version, since: .v20250326):
            return text("[audio, \(block["mimeType"]?.string ?? "of unknown type")]")
        default: return block
        }
    }

    private static func text(_ text: String) -> RawJSON { RawJSON(["type": "text", "text": .string(text)]) }

    private static func elements(_ name: String, of object: RawJSON, _ change: (RawJSON) -> RawJSON) -> RawJSON {
        guard let elements = try? object[name]?.elements() else { return object }
        let changed = elements.map(change)
        return changed == elements ? object : object.replacing(name, with: RawJSON(array: changed))
    }

    /// The servers' capabilities together, as far as a client of this revision knows them.
    ///
    /// - Parameter isComplete: false where a server has not told its own yet; then all that it may turn out to have.
    static func capabilities(
        _ listings: [ServerListing], isComplete: Bool, for version: Revision
    ) -> JSON {
        func has(_ name: String) -> Bool { !isComplete || listings.contains { $0.has(name) } }
        var all = JSON.Object()
        for name in ["tools", "prompts"] where has(name) { all[name] = ["listChanged": true] }
        if has("resources") {
            let subscribes = !isComplete || listings.contains { $0.has("resources", "subscribe") }
            all["resources"] = subscribes ? ["subscribe": true, "listChanged": true] : ["listChanged": true]
        }
        if has("logging") { all["logging"] = [:] }
        if has("completions"), knows(version, since: .v20250326) { all["completions"] = [:] }
        if knows(version, since: .v20251125), let tasks = listings.lazy.compactMap({ $0.capabilities["tasks"] }).first {
            all["tasks"] = (try? tasks.parsed()) ?? [:]
        }
        for name in ["extensions", "experimental"] {
            let parts = listings.compactMap { (try? $0.capabilities[name]?.parsed())?.object }
            let merged = JSON.Object(parts.flatMap { $0.members.map { ($0.name, $0.value) } })
            if !merged.isEmpty { all[name] = .object(merged) }
        }
        return .object(all)
    }

    /// What the servers have to say of their use, each under its name where there are several.
    static func instructions(_ listings: [(server: String, listing: ServerListing)]) -> String? {
        let told = listings.compactMap { place in
            place.listing.instructions.flatMap { $0.isEmpty ? nil : (place.server, $0) }
        }
        guard listings.count > 1 else { return told.first?.1 }
        return told.isEmpty ? nil : told.map { "# \($0)\n\n\($1)" }.joined(separator: "\n\n")
    }
}
