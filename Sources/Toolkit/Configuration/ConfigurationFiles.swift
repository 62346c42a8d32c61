package import Core
internal import NIOCore
package import SystemPackage

/// The user's own YAML files: which servers are enabled, their values, and their tools.
package enum ConfigurationFiles {
    /// `registry.yaml`: the names of the enabled servers, in order.
    package static func enabledServers(_ path: FilePath) throws -> [String] {
        try read(path) { root in
            guard let registry = root["registry"] else {
                throw Failure(.invalidArgument, "it has no \"registry\"")
            }
            if registry.isNull { return [] }
            guard let entries = registry.object else { throw Failure(.invalidArgument, "\"registry\" is no mapping") }
            return entries.members.map(\.name)
        } ?? []
    }

    /// `config.yaml`: the values of each server, by its canonical name.
    package static func values(_ path: FilePath) throws -> JSON.Object {
        try read(path) { root in
            guard let object = root.object else { throw Failure(.invalidArgument, "it is no mapping") }
            return object
        } ?? JSON.Object()
    }

    /// `tools.yaml`: the tools of each server that is listed.
    package static func tools(_ path: FilePath) throws -> [String: [String]] {
        try read(path) { root in
            guard let object = root.object else { throw Failure(.invalidArgument, "it is no mapping") }
            return try object.members.reduce(into: [:]) { lists, member in
                guard let names = member.value.array?.map(\.string), !names.contains(nil) else {
                    throw Failure(.invalidArgument, "the tools of \(member.name) are no list of names")
                }
                lists[member.name] = names.compactMap { $0 }
            }
        } ?? [:]
    }

    /// A server's name as configuration files and templates write it: dots would be taken for the steps of a path.
    package static func canonicalName(_ server: String) -> String { server.replacing(".", with: "_") }

    private static func read<R>(_ path: FilePath, _ body: (JSON) throws -> R) throws -> R? {
        let bytes = try Files.read(path, limit: Catalog.maximumSize)
        do {
            guard let root = try YAMLDocument.parse(bytes)?.json, !root.isNull else { return nil }
            return try body(root)
        } catch let failure as Failure {
            throw failure.during("the file \(path)")
        }
    }
}
