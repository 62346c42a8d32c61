internal import Core
internal import NIOCore
package import SystemPackage
internal import Yams

/// What the user lets each server have beyond the strict defaults. Only people write these; catalogs cannot.
package struct Grants: Sendable, Hashable {
    package struct Grant: Sendable, Hashable {
        /// The Docker network it is connected to; nil for none.
        package var network: String?
        /// Whether a server that runs somewhere else may be on this machine or in a private network.
        package var privateNetwork = false
        package var files: [Place] = []

        package init() {}
    }

    /// A folder or a file of this machine, or a volume of the Docker Engine.
    package struct Place: Sendable, Hashable {
        /// An absolute path, or a volume's name.
        package let name: String
        package let isWritable: Bool
    }

    /// What `--allow-network NAME` means.
    package static let usualNetwork = "bridge"

    /// By the servers' names.
    package private(set) var servers: [String: Grant] = [:]

    package init() {}

    package subscript(server: String) -> Grant { servers[server] ?? Grant() }

    /// - Parameter text: `SERVER` or `SERVER=NETWORK`.
    /// - Throws: `.invalidArgument` for what is no network, or is the machine's own.
    package mutating func allowNetwork(_ text: String) throws {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let server = parts.first, !server.isEmpty else {
            throw Self.bad("--allow-network \(text)", "Write SERVER or SERVER=NETWORK.")
        }
        servers[String(server), default: Grant()].network =
            try Self.network(parts.count > 1 ? String(parts[1]) : Self.usualNetwork)
    }

    /// - Parameter server: one that runs somewhere else.
    package mutating func allowPrivateNetwork(_ server: String) throws {
        guard !server.isEmpty, !server.contains("=") else {
            throw Self.bad("--allow-private-network \(server)", "Write the name of a server.")
        }
        servers[server, default: Grant()].privateNetwork = true
    }

    /// - Parameter text: `SERVER=PATH`, `SERVER=PATH:rw`, or a volume's name for the path.
    package mutating func allowFiles(_ text: String) throws {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else {
            throw Self.bad("--allow-files \(text)", "Write SERVER=PATH or SERVER=PATH:rw.")
        }
        allow(try Self.place(String(parts[1])), to: String(parts[0]))
    }

    private mutating func allow(_ place: Place, to server: String) {
        var grant = self[server]
        grant.files.removeAll { $0.name == place.name }
        grant.files.append(place)
        servers[server] = grant
    }

    /// Takes everything back from a server.
    ///
    /// - Returns: whether there was anything.
    package mutating func revoke(_ server: String) -> Bool { servers.removeValue(forKey: server) != nil }

    /// These and others; of two networks the others' counts.
    package mutating func merge(_ others: Grants) {
        for (server, grant) in others.servers {
            for place in grant.files { allow(place, to: server) }
            if let network = grant.network { servers[server, default: Grant()].network = network }
            if grant.privateNetwork { servers[server, default: Grant()].privateNetwork = true }
        }
    }

    private static func network(_ name: String) throws -> String {
        guard name != "host" else {
            throw Failure(
                .invalidArgument, "the network \"host\" is the machine's own, with everything that listens on it",
                advice: "Use \"bridge\" or a network of yours.")
        }
        guard name != "none", name.wholeMatch(of: /(container:)?[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}/) != nil else {
            throw bad("the network \(JSON.quoted(String(name.prefix(80))))", "Use \"bridge\" or a network's name.")
        }
        return name
    }

    private static func place(_ text: String) throws -> Place {
        var name = text
        var isWritable = false
        for (ending, writes) in [(":rw", true), (":ro", false)] where name.hasSuffix(ending) {
            name.removeLast(ending.count)
            isWritable = writes
            break
        }
        guard !name.hasSuffix(":rw"), !name.hasSuffix(":ro") else {
            throw bad(JSON.quoted(String(text.prefix(200))), "A name that ends like a mode cannot be granted.")
        }
        if name.hasPrefix("/") {
            name = FilePath(name).lexicallyNormalized().string
        } else if name.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9_.\-]{1,127}/) == nil {
            throw bad(JSON.quoted(String(text.prefix(200))), "Write an absolute path, or the name of a volume.")
        }
        return Place(name: name, isWritable: isWritable)
    }

    private static func bad(_ what: String, _ advice: String) -> Failure {
        Failure(.invalidArgument, "\(what) is no grant", advice: advice)
    }
}

extension Grants {
    /// Reads the file of lasting grants; one that is not there grants nothing.
    ///
    /// ```yaml
    /// fetch: {network: bridge}
    /// git: {files: ["/home/me/project", "/home/me/other:rw"]}
    /// intranet: {private-network: true}
    /// ```
    package static func load(_ path: FilePath) throws -> Grants {
        guard Files.exists(path) else { return Grants() }
        let bytes = try Files.read(path, limit: 1 << 20)
        do {
            var grants = Grants()
            guard let root = try YAMLDocument.parse(bytes)?.json, !root.isNull else { return grants }
            guard let members = root.object?.members else { throw Failure(.invalidArgument, "it is no mapping") }
            for member in members {
                var grant = Grant()
                guard let entries = member.value.object?.members else {
                    throw Failure(.invalidArgument, "what \(member.name) is granted is no mapping")
                }
                for (name, value) in entries.map({ ($0.name, $0.value) }) {
                    switch name {
                    case "network":
                        guard value != false else { continue }
                        grant.network = try network(value == true ? usualNetwork : value.string ?? "")
                    case "private-network":
                        guard let isAllowed = value.bool else {
                            throw Failure(
                                .invalidArgument, "private-network of \(member.name) is neither true nor false")
                        }
                        grant.privateNetwork = isAllowed
                    case "files":
                        guard let list = value.array else {
                            throw Failure(.invalidArgument, "the files of \(member.name) are no list")
                        }
                        grant.files = try list.map { try place($0.string ?? "") }
                    // A grant that is misspelt must not go unnoticed, and nor must one of a later version.
                    default:
                        throw Failure(.invalidArgument, "\(member.name) has the unknown grant \(JSON.quoted(name))")
                    }
                }
                grants.servers[member.name] = grant
            }
            return grants
        } catch let failure as Failure {
            throw failure.during("the file \(path)")
        }
    }

    package func save(_ path: FilePath) throws {
        var text = "# What MCP servers may use beyond the strict defaults. `docker mcp grants` edits this file.\n"
        for (server, grant) in servers.sorted(by: { $0.key < $1.key }) {
            text += "\(JSON.quoted(server)):\n"
            if let network = grant.network { text += "  network: \(JSON.quoted(network))\n" }
            if grant.privateNetwork { text += "  private-network: true\n" }
            if !grant.files.isEmpty { text += "  files:\n" }
            for place in grant.files { text += "    - \(JSON.quoted(place.description))\n" }
        }
        try Files.makeDirectory(path.removingLastComponent())
        try Files.write(ByteBuffer(string: text), to: path)
    }
}

extension Grants.Place: CustomStringConvertible {
    /// As it is written.
    package var description: String { isWritable ? "\(name):rw" : name }
}
