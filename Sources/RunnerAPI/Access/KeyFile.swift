internal import Core
internal import NIOCore
package import SystemPackage

/// The file that the API's keys are kept in: theirs alone who runs the model runner.
package struct KeyFile: Sendable {
    package let path: FilePath

    private static let maximum = 1 << 20

    package init(_ path: FilePath) { self.path = path }

    /// The keys; none where there is no file.
    ///
    /// - Throws: `.forbidden` when others may read the file; `.corrupted` for what is no list of keys.
    package func keys() throws -> [APIKey] {
        guard let status = try? POSIX.status(path) else { return [] }
        guard status.mode & 0o077 == 0 else {
            throw Failure(
                .forbidden, "the keys in \(path) can be read by others", advice: "Run: chmod 600 \(path)")
        }
        let json: JSON
        do { json = try JSON(parsing: Files.read(path, limit: Self.maximum)) } catch {
            throw Failure(.corrupted, "cannot understand \(path)", cause: error)
        }
        guard let entries = json["keys"]?.array else {
            throw Failure(.corrupted, "\(path) has no list of keys", advice: "Write {\"keys\": []} or remove the file.")
        }
        return try entries.map { try APIKey(parsing: $0) }
    }

    /// Replaces the keys.
    package func write(_ keys: [APIKey]) throws {
        try Files.makeDirectory(path.removingLastComponent(), mode: 0o700)
        let document: JSON = ["keys": .array(keys.map(\.json))]
        try Files.write(ByteBuffer(string: document.text(indent: 2) + "\n"), to: path, mode: 0o600)
    }
}
