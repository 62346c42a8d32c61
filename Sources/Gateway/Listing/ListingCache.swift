internal import Core
internal import Crypto
internal import DockerEngine
internal import NIOCore
package import SystemPackage
internal import Toolkit

/// Lists of servers on disk, so that a client need not wait for a server to start: one file for each image and
/// configuration, private, written whole, bounded in number and size.
package struct ListingCache: Sendable {
    static let maximumFiles = 256
    static let maximumSize = 16 << 20

    private let folder: FilePath

    package init(folder: FilePath) { self.folder = folder }

    /// What the lists of a server depend on.
    ///
    /// - Parameter image: the image's own id, which changes with its content; nil where there is none.
    static func key(_ launch: ContainerLaunch, image: String?) -> String {
        var hash = SHA256()
        func add(_ text: String) {
            hash.update(data: Array("\(text.utf8.count):".utf8))
            hash.update(data: Array(text.utf8))
        }
        add(WharfVersion.current)
        add(image ?? "")
        add(launch.server.name)
        add(launch.server.remote?.url ?? "")
        let values = launch.values
        values.command.forEach(add)
        let secrets = Set(launch.server.secrets.map(\.environmentName))
        for variable in values.environment {
            add(variable.name)
            // Nothing that could be found out again from a file's name.
            add(secrets.contains(variable.name) ? "secret" : variable.value)
        }
        values.volumes.forEach(add)
        return hash.finalize().prefix(16).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    /// - Returns: nil where there is none, or nothing that can be used.
    func read(_ key: String) -> ServerListing? {
        guard let bytes = try? Files.read(path(key), limit: Self.maximumSize) else { return nil }
        guard let listing = ServerListing(bytes: bytes) else {
            try? Files.remove(path(key))
            return nil
        }
        return listing
    }

    /// Keeps a listing; the oldest are forgotten. A cache that cannot be written is none.
    func write(_ listing: ServerListing, _ key: String) {
        let bytes = listing.bytes
        guard bytes.readableBytes <= Self.maximumSize else { return }
        do {
            try Files.makeDirectory(folder, mode: 0o700)
            try Files.write(bytes, to: path(key), mode: 0o600)
            try prune(keeping: "\(key).json")
        } catch {}
    }

    private func path(_ key: String) -> FilePath { folder.appending("\(key).json") }

    private func prune(keeping newest: String) throws {
        let names = try POSIX.list(folder).filter { $0.hasSuffix(".json") }
        guard names.count > Self.maximumFiles else { return }
        let dated = names.filter { $0 != newest }.map { name in
            (name: name, time: (try? POSIX.status(folder.appending(name)))?.modified ?? 0)
        }
        for old in dated.sorted(by: { $0.time < $1.time }).prefix(names.count - Self.maximumFiles) {
            try Files.remove(folder.appending(old.name))
        }
    }
}
