package import Core

/// The four lists a server may have.
package enum ListKind: String, Sendable, Hashable, CaseIterable {
    case tools
    case prompts
    case resources
    case templates = "resourceTemplates"

    package init?(method: String) {
        guard let kind = Self.allCases.first(where: { $0.method == method }) else { return nil }
        self = kind
    }

    package var method: String { self == .templates ? "resources/templates/list" : "\(rawValue)/list" }
    /// The member of the answer that holds the list.
    package var member: String { rawValue }
    /// The member of a server's capabilities that goes with it.
    package var capability: String { self == .templates ? "resources" : rawValue }

    /// The member that tells one element from another.
    package var identity: String {
        switch self {
        case .tools, .prompts: "name"
        case .resources: "uri"
        case .templates: "uriTemplate"
        }
    }

    /// How many bytes an identity may have.
    package var maximumIdentity: Int { self == .tools || self == .prompts ? 256 : 8192 }
}

/// One element of a list as its server wrote it. Only what it is known by is looked at.
package struct ListItem: Sendable, Hashable {
    package let name: String
    package let definition: RawJSON

    /// - Returns: nil for an element without a usable name.
    package init?(_ kind: ListKind, _ definition: RawJSON) {
        guard let name = definition[kind.identity]?.string, !name.isEmpty, name.utf8.count <= kind.maximumIdentity
        else { return nil }
        self.name = name
        self.definition = definition
    }

    private init(name: String, definition: RawJSON) {
        self.name = name
        self.definition = definition
    }

    /// The same element under another name; all else stays as the server wrote it.
    package func renamed(_ name: String, _ kind: ListKind) -> ListItem {
        guard name != self.name else { return self }
        return ListItem(
            name: name, definition: definition.replacing(kind.identity, with: RawJSON(.string(name))))
    }

    package func with(_ definition: RawJSON) -> ListItem { ListItem(name: name, definition: definition) }
}
