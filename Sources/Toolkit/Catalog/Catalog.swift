internal import Core
package import NIOCore
package import SystemPackage

/// A published description of MCP servers.
package struct Catalog: Sendable {
    package static let maximumSize = 16 << 20

    package let name: String
    /// In the order in which the catalog lists them.
    package let servers: [Server]

    /// - Parameter source: what errors call it: a path or a URL.
    /// - Throws: `.invalidArgument` saying where and what is wrong.
    package init(parsing yaml: ByteBuffer, source: String) throws {
        do { self = try CatalogReader(yaml).catalog() } catch let failure as Failure {
            throw failure.during("the catalog \(source)")
        }
    }

    package static func load(path: FilePath) throws -> Catalog {
        try Catalog(parsing: Files.read(path, limit: maximumSize), source: path.string)
    }

    /// The catalog that ships with Wharf.
    package static func builtin() throws -> Catalog {
        try Catalog(parsing: ByteBuffer(bytes: PackageResources.catalog_yaml), source: "that ships with Wharf")
    }

    /// - Throws: `.notFound`, naming the servers there are.
    package func server(named name: String) throws -> Server {
        if let server = servers.first(where: { $0.name == name }) { return server }
        let known = servers.prefix(20).map(\.name).joined(separator: ", ")
        throw Failure(
            .notFound, "MCP server not found: \(name)",
            advice: servers.isEmpty ? "The catalog is empty." : "The catalog has: \(known).")
    }
}
