internal import Core
internal import SystemPackage

/// Names of files within a bundle. They come from artifacts and archives, so from anybody.
enum BundlePath {
    /// - Throws: `.corrupted` for a path that is absolute, empty, or leads out of the folder.
    static func checked(_ path: String) throws -> String {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let isSafe =
            !path.isEmpty && path.utf8.count <= 1024 && !path.utf8.contains(0) && !path.contains("\\")
            && parts.count <= 16 && parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." && $0.utf8.count <= 255 }
        guard isSafe else {
            throw Failure(
                .corrupted, "the model has a file with the forbidden path \(JSON.quoted(String(path.prefix(80))))")
        }
        return path
    }

    /// Where a bundle has its files.
    static func folder(in bundle: FilePath) -> FilePath { bundle.appending("model") }

    /// Where a checked name is in a bundle.
    static func place(_ name: String, in folder: FilePath) -> FilePath {
        name.split(separator: "/").reduce(Self.folder(in: folder)) { $0.appending(String($1)) }
    }

    /// The names taken so far: no two alike, on file systems that ignore case too, and none where a folder is needed.
    struct Names {
        private var files = Set<String>()
        private var folders = Set<String>()

        /// - Throws: `.corrupted` when the name cannot be had.
        mutating func take(_ name: String) throws {
            let name = name.lowercased()
            guard files.insert(name).inserted else {
                throw Failure(.corrupted, "the model has two files \(JSON.quoted(name))")
            }
            let parts = name.split(separator: "/")
            for count in 1..<max(parts.count, 1) { folders.insert(parts.prefix(count).joined(separator: "/")) }
            guard !folders.contains(name),
                !parts.indices.dropFirst().contains(where: { count in
                    files.contains(parts.prefix(count).joined(separator: "/"))
                })
            else {
                throw Failure(.corrupted, "the model has a file where it needs a folder")
            }
        }
    }
}
