internal import Core
internal import Hub
internal import NIOCore
internal import OCI
package import SystemPackage

/// The repositories below `~/.cache/huggingface/hub`: `models--OWNER--NAME` with `refs`, `snapshots` and `blobs`.
package enum HuggingFaceCache {
    private static let maximumFiles = 20_000

    /// One model for each quantisation that a repository's current snapshot has files of.
    ///
    /// - Throws: `.notFound` where the folder has no repositories.
    package static func models(in folder: FilePath) throws -> ForeignModels {
        let folders = ((try? POSIX.list(folder)) ?? []).filter { $0.hasPrefix("models--") }
        guard !folders.isEmpty else {
            throw Failure(
                .notFound, "\(folder) is no cache of Hugging Face's hub: it has no models--OWNER--NAME in it",
                advice: "Name the folder that HF_HUB_CACHE names")
        }
        var found = ForeignModels()
        for name in folders {
            let parts = String(name.dropFirst("models--".count)).split(separator: "--", maxSplits: 1)
            let repository = parts.joined(separator: "/")
            do { try add(repository, folder.appending(name), to: &found) } catch {
                found.problems.append("hf.co/\(repository): \(Failure.text(of: error))")
            }
        }
        return found
    }

    private static func add(_ repository: String, _ folder: FilePath, to found: inout ForeignModels) throws {
        _ = try HubReference(parsing: "hf.co/\(repository)")
        let commit = try snapshot(of: folder)
        let root = folder.appending("snapshots").appending(commit)
        let files = list(root, "", depth: 8)
        guard files.count <= maximumFiles else { throw Failure(.resourceExhausted, "it has too many files") }
        let quantizations = Set(
            files.filter { $0.path.lowercased().hasSuffix(".gguf") && !$0.name.lowercased().contains("mmproj") }
                .map { Quantization.named(in: $0.path) })
        let wanted: [String?] = quantizations.isEmpty ? [nil] : quantizations.sorted { ($0 ?? "") < ($1 ?? "") }
        for quantization in wanted {
            let name = "hf.co/\(repository)" + (quantization.map { ":\($0)" } ?? "")
            found.add(name) {
                let selection = try HubSelection(of: files, wanted: quantization, in: name)
                return try ForeignModel(
                    name: ModelReference(parsing: name),
                    files: ModelAssembly.Part.roles(of: selection).map { role, file in
                        try source(of: file, role, root, folder)
                    },
                    kind: .files(
                        .init(source: "https://huggingface.co/\(repository.lowercased())", revision: commit)))
            }
        }
    }

    /// The commit of the main branch, else the only one there is.
    private static func snapshot(of folder: FilePath) throws -> String {
        let there = ((try? POSIX.list(folder.appending("snapshots"))) ?? []).filter { !$0.hasPrefix(".") }
        let main = try? Files.read(folder.appending("refs/main"), limit: 256)
        let commit = main.map { String(buffer: $0).filter { !$0.isWhitespace } }
        guard let chosen = there.first(where: { $0 == commit }) ?? (there.count == 1 ? there[0] : nil) else {
            throw Failure(.notFound, "it has no snapshot of its main branch")
        }
        return chosen
    }

    private static func list(_ root: FilePath, _ prefix: String, depth: Int) -> [HubFile] {
        let folder = prefix.split(separator: "/").reduce(root) { $0.appending(String($1)) }
        guard depth > 0 else { return [] }
        return ((try? POSIX.list(folder)) ?? []).flatMap { name -> [HubFile] in
            let path = prefix + name
            guard let status = try? POSIX.status(folder.appending(name)), HubFile.isSafe(path) else { return [] }
            // Folders of a snapshot are real ones; a link to one leads somewhere else.
            let own = try? POSIX.status(folder.appending(name), following: false)
            if status.isDirectory { return own?.isDirectory == true ? list(root, path + "/", depth: depth - 1) : [] }
            return status.isRegular ? [HubFile(path: path, size: status.size)] : []
        }
    }

    /// The blob a snapshot's file links to; its name is what its bytes must turn out to be.
    private static func source(
        of file: HubFile, _ role: ModelAssembly.Role, _ root: FilePath, _ folder: FilePath
    ) throws -> ForeignModel.File {
        let path = file.path.split(separator: "/").reduce(root) { $0.appending(String($1)) }
        let (blob, blobs) = try Files.wrap("cannot read \(path)") {
            (try POSIX.resolve(path), try POSIX.resolve(folder.appending("blobs")))
        }
        guard blob.removingLastComponent() == blobs, let name = blob.lastComponent?.string else {
            throw Failure(.corrupted, "\(file.path) does not lead to a file of the cache")
        }
        let check: ForeignModel.Check
        if let digest = try? Digest(parsing: "sha256:\(name)") {
            check = .sha256(digest)
        } else if Digest.isHex(name.utf8, count: 40) {
            check = .git(name)
        } else {
            throw Failure(.corrupted, "\(file.path) leads to a file whose name is no digest")
        }
        return ForeignModel.File(role: role, path: file.path, source: blob, check: check)
    }
}
