package import Core
package import MCP
internal import NIOCore

/// What a server has on offer, as it told last.
package struct ServerListing: Sendable, Hashable {
    /// As the server declared them.
    package var capabilities: RawJSON
    package var instructions: String?
    package var items: [ListKind: [ListItem]] = [:]

    package static let maximumInstructions = 32 << 10

    package init(
        capabilities: RawJSON = RawJSON([:]), instructions: String? = nil, items: [ListKind: [ListItem]] = [:]
    ) {
        self.capabilities = capabilities
        self.instructions = instructions.map { String($0.prefix(Self.maximumInstructions)) }
        self.items = items
    }

    package subscript(kind: ListKind) -> [ListItem] { items[kind] ?? [] }

    /// Whether the server declared a capability.
    package func has(_ capability: String) -> Bool { capabilities[capability]?.isObject ?? false }

    /// Whether it declared part of one, as `resources.subscribe`.
    package func has(_ capability: String, _ part: String) -> Bool {
        capabilities[capability]?[part].map { $0.isTrue || $0.isObject } ?? false
    }

    /// Asks a server for all it has.
    ///
    /// - Throws: where a list it declares cannot be had.
    static func fetch(from client: Client) async throws -> ServerListing {
        var listing = ServerListing(
            capabilities: client.server.capabilities, instructions: client.server.instructions)
        for kind in ListKind.allCases where listing.has(kind.capability) {
            do { listing.items[kind] = try await client.list(kind) } catch let error as RPC.Error {
                // Many a server declares resources and knows nothing of templates.
                guard kind == .templates || error.code == -32601 else { throw error }
            }
        }
        return listing
    }
}

extension ServerListing {
    private static let format = 1

    /// As it is kept on disk.
    var bytes: ByteBuffer {
        var members: [(name: String, value: RawJSON)] = [
            ("format", RawJSON(.int(Self.format))), ("capabilities", capabilities),
            ("instructions", RawJSON(instructions.map { .string($0) } ?? .null)),
        ]
        for kind in ListKind.allCases {
            members.append((kind.rawValue, RawJSON(array: self[kind].map(\.definition))))
        }
        return RawJSON(object: members).buffer
    }

    /// - Returns: nil for anything this version has not written.
    init?(bytes: ByteBuffer) {
        guard let raw = try? RawJSON(checking: bytes), raw["format"]?.text == String(Self.format),
            let capabilities = raw["capabilities"], capabilities.isObject
        else { return nil }
        self.init(capabilities: capabilities, instructions: raw["instructions"]?.string)
        for kind in ListKind.allCases {
            guard let elements = try? raw[kind.rawValue]?.elements() else { return nil }
            items[kind] = elements.compactMap { ListItem(kind, $0) }
        }
    }
}
