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
        var files: [ForeignModel.File] = []
        var lost: [String] = []
        for layer in manifest.layers {
            let kind = layer.mediaType.split(separator: ".").last.map(String.init) ?? ""
            let role: ModelAssembly.Role
            switch kind {
            case "model": role = .gguf
            case "projector": role = .projector
            case "license": role = .licence
            case "adapter":
                throw Failure(.unsupported, "it is a base model with an adapter", advice: "Import its base model")
            default:
                lost.append(kind)
                continue
            }
            let blob = folder.appending("blobs").appending("\(layer.digest.algorithm.rawValue)-\(layer.digest.hex)")
            guard let status = try? POSIX.status(blob), status.size == layer.size else {
                throw Failure(.corrupted, "its file \(layer.digest) is missing or incomplete")
            }
            files.append(
                ForeignModel.File(
                    role: role, path: fileName(role, files), source: blob, check: .sha256(layer.digest)))
        }
        guard files.contains(where: { $0.role == .gguf }) else { throw Failure(.unsupported, "it has no GGUF file") }
        let remarks = lost.isEmpty ? [] : ["left behind: \(Set(lost).sorted().joined(separator: ", "))"]
        return try ForeignModel(
            name: ModelReference(parsing: name), files: files,
            origin: .init(source: "ollama://\(name)", revision: manifest.digest.hex), remarks: remarks)
    }

    /// Its blobs have no names of their own.
    private static func fileName(_ role: ModelAssembly.Role, _ before: [ForeignModel.File]) -> String {
        let count = before.filter { $0.role == role }.count
        let suffix = count == 0 ? "" : "-\(count + 1)"
        return switch role {
        case .gguf: "model\(suffix).gguf"
        case .projector: "mmproj\(suffix).gguf"
        default: "LICENSE\(suffix)"
        }
    }
}
