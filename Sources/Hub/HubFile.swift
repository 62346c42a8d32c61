package import Core
package import OCI

/// One file of a repository, as the hub lists it.
package struct HubFile: Hashable, Sendable {
    /// Relative to the repository, checked: it leads nowhere else.
    package let path: String
    /// Bytes.
    package let size: Int64
    /// Of files that are kept outside of git, which all large ones are.
    package let sha256: Digest?
    /// Git's name for the content, 40 hex digits; of the pointer where `sha256` is there.
    package let gitID: String

    package init(path: String, size: Int64, sha256: Digest? = nil, gitID: String = "") {
        self.path = path
        self.size = size
        self.sha256 = sha256
        self.gitID = gitID
    }

    /// Bytes a file without a `sha256` may have; the hub itself takes no more than 10 MB into git.
    package static let maximumSmall: Int64 = 64 << 20
    private static let maximumSize: Int64 = 16 << 40

    /// An entry of a listing; nil for a folder.
    ///
    /// - Throws: `.corrupted` for a size, digest or path that cannot be.
    package init?(_ json: JSON) throws {
        guard json["type"]?.string == "file" else { return nil }
        guard let path = json["path"]?.string, Self.isSafe(path) else {
            throw Failure(
                .corrupted,
                "the hub lists a file with the forbidden path "
                    + JSON.quoted(String((json["path"]?.string ?? "").prefix(80))))
        }
        let lfs = json["lfs"]
        let large = lfs?.object != nil
        guard let size = (large ? lfs?["size"] : json["size"])?.int, size >= 0, size <= Int(Self.maximumSize) else {
            throw Failure(.corrupted, "the hub lists \(path) with an impossible size")
        }
        var digest: Digest?
        if large {
            guard let oid = lfs?["oid"]?.string, let parsed = try? Digest(parsing: "sha256:\(oid.lowercased())") else {
                throw Failure(.corrupted, "the hub lists \(path) without its SHA-256")
            }
            digest = parsed
        }
        self.init(path: path, size: Int64(size), sha256: digest, gitID: json["oid"]?.string?.lowercased() ?? "")
    }

    /// Whether a path stays inside of a folder wherever that is.
    package static func isSafe(_ path: String) -> Bool {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        return path.utf8.count <= 1024 && parts.count <= 16
            && path.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F && $0 != "\\" }
            && parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." && $0.utf8.count <= 255 }
    }

    /// The last part of the path.
    package var name: String { String(path.split(separator: "/").last ?? "") }
}
