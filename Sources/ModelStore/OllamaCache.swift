internal import Core
internal import OCI
package import SystemPackage

/// The models below `~/.ollama/models`: manifests by name, blobs by digest.
package enum OllamaCache {
    /// - Throws: `.notFound` where the folder has no manifests.
    package static func models(in folder: FilePath) throws -> ForeignModels {
        let manifests = folder.appending("manifests")
        guard (try? POSIX.status(manifests))?.isDirectory == true else {
            throw Failure(
                .notFound, "\(folder) is no folder of Ollama's models: it has no manifests in it",
                advice: "Name the folder that OLLAMA_MODELS names")
        }
        var found = ForeignModels()
        for path in paths(below: manifests, depth: 4) {
            let name = path.dropLast().joined(separator: "/") + ":" + (path.last ?? "")
            found.add(name) { try model(name, at: path.reduce(manifests) { $0.appending($1) }, folder) }
        }
        return found
    }

    /// `HOST/OWNER/NAME/TAG`
    private static func paths(below folder: FilePath, depth: Int) -> [[String]] {
        ((try? POSIX.list(folder)) ?? []).filter { !$0.hasPrefix(".") }.flatMap { name -> [[String]] in
            let path = folder.appending(name)
            let isDirectory = (try? POSIX.status(path))?.isDirectory == true
            if depth == 1 { return isDirectory ? [] : [[name]] }
            return isDirectory ? paths(below: path, depth: depth - 1).map { [name] + $0 } : []
        }
    }

    private static func model(_ name: String, at path: FilePath, _ folder: FilePath) throws -> ForeignModel {
        let manifest = try Manifest(parsing: Files.read(path, limit: Manifest.maximumBytes))
        try ModelStore.requireModel(manifest, name)
        guard manifest.layers.contains(where: { $0.mediaType == MediaType.ollamaModel }) else {
            throw Failure(.unsupported, "it has no GGUF file")
        }
        var seen = Set<Digest>()
        let blobs = (manifest.layers + [manifest.config]).filter { seen.insert($0.digest).inserted }
        return try ForeignModel(
            name: ModelReference(parsing: name),
            files: blobs.map { blob in
                let digest = blob.digest
                let path = folder.appending("blobs").appending("\(digest.algorithm.rawValue)-\(digest.hex)")
                guard digest.algorithm == .sha256, let status = try? POSIX.status(path), status.size == blob.size else {
                    throw Failure(.corrupted, "its file \(digest) is missing or incomplete")
                }
                return ForeignModel.File(role: nil, path: "", source: path, check: .sha256(digest))
            }, kind: .artifact(manifest))
    }
}
