internal import Core
internal import NIOCore
internal import Yams

/// Reads a catalog's YAML. Keys that are not known are passed over; what is known must be of the right kind.
struct CatalogReader {
    private static let maximumServers = 20_000

    private let root: Node

    init(_ yaml: ByteBuffer) throws {
        guard let node = try YAMLDocument.parse(yaml) else {
            throw Failure(.invalidArgument, "it is empty; it needs a \"registry\"")
        }
        root = node
    }

    func catalog() throws -> Catalog {
        guard let top = root.mapping else { throw Failure(.invalidArgument, "it is no mapping") }
        guard let registry = top["registry"] else {
            let hint = top["servers"] == nil ? "" : "; it has \"servers\", which belongs under \"registry\""
            throw Failure(.invalidArgument, "it has no \"registry\"\(hint)")
        }
        if registry.null != nil { return Catalog(name: top["name"]?.string ?? "", servers: []) }
        guard let entries = registry.mapping else { throw Failure(.invalidArgument, "\"registry\" is no mapping") }
        guard entries.count <= Self.maximumServers else {
            throw Failure(.resourceExhausted, "it lists more than \(Self.maximumServers) servers")
        }
        return Catalog(
            name: top["name"]?.string ?? "",
            servers: try entries.map { key, value in
                let name = key.string ?? ""
                guard Self.isName(name) else {
                    throw Failure(
                        .invalidArgument, "a server's name must be of A-Z a-z 0-9 . _ -, not \(JSON.quoted(name))")
                }
                return try server(name, value)
            })
    }

    private func server(_ name: String, _ node: Node) throws -> Server {
        guard let entry = node.mapping else { throw Failure(.invalidArgument, "the server \(name) is no mapping") }
        func text(_ key: String) throws -> String? {
            guard let value = entry[key], value.null == nil else { return nil }
            guard let text = value.string, Self.isPlain(text) else {
                throw Failure(.invalidArgument, "the server \(name): \"\(key)\" is no plain text")
            }
            return text.isEmpty ? nil : text
        }
        func list(_ key: String) throws -> [Node] {
            guard let value = entry[key], value.null == nil else { return [] }
            guard let sequence = value.sequence, sequence.count <= 1000 else {
                throw Failure(.invalidArgument, "the server \(name): \"\(key)\" is no list")
            }
            return Array(sequence)
        }
        func field(_ node: Node, _ field: String, of key: String) throws -> String {
            guard let text = node.mapping?[field]?.string, Self.isPlain(text) else {
                throw Failure(.invalidArgument, "the server \(name): an entry of \"\(key)\" has no \"\(field)\"")
            }
            return text
        }
        func words(_ key: String) throws -> [String] {
            try list(key).map { item in
                guard let word = item.string, Self.isPlain(word) else {
                    throw Failure(.invalidArgument, "the server \(name): \"\(key)\" is no list of words")
                }
                return word
            }
        }
        let image = try text("image")
        if let image, !Self.isImage(image) {
            throw Failure(.invalidArgument, "the server \(name): \(JSON.quoted(image)) is no image reference")
        }
        return Server(
            name: name, title: try text("title"), description: try text("description"), image: image,
            remote: try RemoteReader(name, entry).remote(),
            command: try words("command"),
            environment: try list("env").map { item in
                let variable = try field(item, "name", of: "env")
                try Self.requireVariable(variable, server: name)
                return Server.Variable(name: variable, value: try field(item, "value", of: "env"))
            },
            secrets: try list("secrets").map { item in
                let variable = try field(item, "env", of: "secrets")
                try Self.requireVariable(variable, server: name)
                return Server.Secret(name: try field(item, "name", of: "secrets"), environmentName: variable)
            },
            user: try text("user"), volumes: try words("volumes"),
            wantsNetwork: !(entry["disableNetwork"]?.bool ?? false), isLongLived: entry["longLived"]?.bool ?? false,
            isStateless: entry["stateless"]?.bool ?? false, prefix: try text("prefix"))
    }

    private static func isName(_ text: String) -> Bool {
        text.utf8.count <= 128 && text.first?.isASCII == true
            && text.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9._\-]*/) != nil
    }

    /// What could lead elsewhere in the engine's API, or be taken for a flag, is refused.
    private static func isImage(_ text: String) -> Bool {
        text.utf8.count <= 512 && text.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9._\-\/:@]*/) != nil
            && !text.contains("..") && !text.contains("//")
    }

    /// Without characters that could drive a terminal; lines and tabs are fine.
    static func isPlain(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy {
            $0.properties.generalCategory != .control || $0 == "\n" || $0 == "\r" || $0 == "\t"
        }
    }

    private static func requireVariable(_ name: String, server: String) throws {
        guard name.wholeMatch(of: /[A-Za-z_][A-Za-z0-9_]*/) != nil else {
            throw Failure(.invalidArgument, "the server \(server): \(JSON.quoted(name)) is no name of a variable")
        }
    }
}

extension Catalog {
    init(name: String, servers: [Server]) {
        self.name = name
        self.servers = servers
    }
}
