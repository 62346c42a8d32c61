internal import Core
internal import Yams

/// Reads what an entry says of a server that runs somewhere else.
struct RemoteReader {
    private static let maximumHeaders = 50

    private let server: String
    private let entry: Node.Mapping

    init(_ server: String, _ entry: Node.Mapping) {
        self.server = server
        self.entry = entry
    }

    /// `remote`, or `sseEndpoint` as older catalogs have it.
    func remote() throws -> Server.Remote? {
        let wantsSignIn = entry["oauth"].map { $0.null == nil } ?? false
        guard let node = entry["remote"], node.null == nil else {
            guard let node = entry["sseEndpoint"], node.null == nil else { return nil }
            return Server.Remote(
                url: try text(node, "sseEndpoint"), transport: "sse", headers: [], wantsSignIn: wantsSignIn)
        }
        guard let remote = node.mapping else { throw bad("\"remote\" is no mapping") }
        guard let url = remote["url"] else { throw bad("\"remote\" has no \"url\"") }
        var headers: [Server.Variable] = []
        if let node = remote["headers"], node.null == nil {
            guard let mapping = node.mapping, mapping.count <= Self.maximumHeaders else {
                throw bad("\"remote.headers\" is no mapping of names to values")
            }
            headers = try mapping.map { name, value in
                Server.Variable(
                    name: try text(name, "remote.headers"), value: try text(value, "remote.headers"))
            }
        }
        return Server.Remote(
            url: try text(url, "remote.url"),
            transport: try remote["transport_type"].flatMap {
                $0.null == nil ? try text($0, "remote.transport_type") : nil
            },
            headers: headers, wantsSignIn: wantsSignIn)
    }

    private func text(_ node: Node, _ key: String) throws -> String {
        guard let text = node.string, CatalogReader.isPlain(text), text.utf8.count <= 16 << 10 else {
            throw bad("\"\(key)\" is no plain text")
        }
        return text
    }

    private func bad(_ message: String) -> Failure {
        Failure(.invalidArgument, "the server \(server): \(message)")
    }
}
